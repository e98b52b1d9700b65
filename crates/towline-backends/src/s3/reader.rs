//! Reading objects: in ranges, always of the very object that was found, and on from where a connection broke.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use towline_core::error::{Fault, FaultKind};
use towline_core::store::{ByteStream, Object, ObjectReader};
use towline_s3::multipart::head;
use towline_s3::{Call, Client, Problem};

const DOING: &str = "reading an object";

/// An object as it was found; nothing when there is none.
pub(super) async fn open(client: &Arc<Client>, name: &str) -> Result<Option<Object>, Fault> {
    let fault = |problem: Problem| problem.fault("looking for an object");
    let Some(reply) = head(client, name).await.map_err(fault)? else { return Ok(None) };
    let version = reply.tag().map_err(fault)?;
    let reader = S3Reader { client: Arc::clone(client), name: name.to_owned(), tag: version.clone() };
    Ok(Some(Object {
        size_bytes: reply.size_bytes().map_err(fault)?,
        version,
        modified_at: reply.modified_at(),
        reader: Box::new(reader),
    }))
}

/// All bytes of an object of our own.
pub(super) async fn whole(client: &Arc<Client>, name: &str) -> Result<Option<ByteStream>, Fault> {
    let object = open(client, name).await?;
    Ok(object.map(|object| object.reader.read(0..object.size_bytes)))
}

struct S3Reader {
    client: Arc<Client>,
    name: String,
    /// Only this very content is read: another one that took its place is not glued to it.
    tag: String,
}

impl ObjectReader for S3Reader {
    fn read(&self, range: Range<u64>) -> ByteStream {
        let walk = Walk {
            client: Arc::clone(&self.client),
            name: self.name.clone(),
            tag: self.tag.clone(),
            rest: range,
            body: None,
            breaks: 0,
        };
        stream::try_unfold(walk, |walk| Box::pin(walk.next())).boxed()
    }
}

/// Where a read is.
struct Walk {
    client: Arc<Client>,
    name: String,
    tag: String,
    rest: Range<u64>,
    body: Option<Incoming>,
    /// How often it broke since bytes came.
    breaks: u32,
}

impl Walk {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Fault> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let mut body = match self.body.take() {
                Some(body) => body,
                None => self.ask().await.map_err(fault)?,
            };
            match frame(&mut body, self.client.patience().reply).await {
                Ok(bytes) => {
                    // A server that sends more than it was asked for is not believed.
                    let wanted = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
                    let bytes = if bytes.len() > wanted { bytes.slice(..wanted) } else { bytes };
                    self.rest.start += bytes.len() as u64;
                    self.breaks = 0;
                    self.body = Some(body);
                    return Ok(Some((bytes, self)));
                }
                Err(problem) => {
                    self.breaks += 1;
                    if self.breaks >= self.client.patience().tries {
                        return Err(fault(problem));
                    }
                }
            }
        }
    }

    async fn ask(&self) -> Result<Incoming, Problem> {
        let call = Call::new(Method::GET, self.client.address.path(&self.name))
            .header("range", format!("bytes={}-{}", self.rest.start, self.rest.end - 1))
            .header("if-match", format!("\"{}\"", self.tag))
            .streamed();
        let reply = self.client.send(call).await?;
        let begins =
            reply.header("content-range").and_then(|text| text.strip_prefix("bytes ")?.split('-').next());
        let is_asked_for = begins.is_some_and(|begins| begins.parse() == Ok(self.rest.start));
        if reply.tag()? != self.tag {
            return Err(Problem::refused(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "another ETag",
            ));
        }
        if !is_asked_for {
            return Err(Problem::garbled("it is not the range that was asked for"));
        }
        reply.stream.ok_or_else(|| Problem::garbled("no body"))
    }
}

fn fault(problem: Problem) -> Fault {
    let is_gone = problem.is_missing() || problem.status() == Some(StatusCode::PRECONDITION_FAILED);
    if is_gone {
        return Fault::new(FaultKind::Unavailable, DOING, "it was replaced or removed meanwhile");
    }
    problem.fault(DOING)
}

/// The next bytes; the end of a body before its range ends is a break.
async fn frame(body: &mut Incoming, wait: Duration) -> Result<Bytes, Problem> {
    loop {
        let frame = timeout(wait, body.frame()).await.map_err(|_| Problem::TimedOut)?;
        let frame = frame.ok_or_else(|| Problem::Broken("the body ended early".into()))?;
        match frame.map_err(|error| Problem::Broken(error.into()))?.into_data() {
            Ok(bytes) if !bytes.is_empty() => return Ok(bytes),
            Ok(_) | Err(_) => {}
        }
    }
}
