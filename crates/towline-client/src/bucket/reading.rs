//! Finished files of a bucket, in ranges, always of the very content that was found.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use towline_core::digest::{Algorithm, Digest};
use towline_s3::multipart::head;
use towline_s3::tag::md5_in;
use towline_s3::{Call, Client, Problem, Reply};

use super::complaint::Act;
use super::{Bucket, proving};
use crate::remote::Stored;
use crate::trouble::Trouble;

/// Digests of the whole beside CRC-64/NVME, the stronger ones first.
const DIGESTS: [(&str, Algorithm); 4] = [
    ("x-amz-checksum-sha256", Algorithm::Sha256),
    ("x-amz-checksum-sha1", Algorithm::Sha1),
    ("x-amz-checksum-crc32c", Algorithm::Crc32c),
    ("x-amz-checksum-crc32", Algorithm::Crc32),
];

pub(super) async fn stored(bucket: &Bucket, key: &str) -> Result<Option<Stored>, Trouble> {
    let fault = |problem: Problem| bucket.trouble(&problem, Act::Read, key);
    if let Ok(Some(reply)) = Box::pin(asked(bucket, key)).await {
        return of(&reply, key).map(Some).map_err(fault);
    }
    // A refused `HEAD` has no words. The answer to `GET` says why, and whether it is the bucket that is missing.
    let first = async |client: Arc<Client>| {
        let path = client.address.path(&client.address.name(key));
        client.send(Call::new(Method::GET, path).header("range", "bytes=0-0").streamed()).await
    };
    match Box::pin(bucket.ask(first)).await {
        Err(problem) if problem.is_missing() && problem.code() != "NoSuchBucket" => return Ok(None),
        Err(problem) if problem.status() != Some(StatusCode::RANGE_NOT_SATISFIABLE) => {
            return Err(fault(problem));
        }
        Ok(_) | Err(_) => {}
    }
    let reply = Box::pin(asked(bucket, key)).await.map_err(fault)?;
    reply.map(|reply| of(&reply, key)).transpose().map_err(fault)
}

/// What is told of an object beside its bytes.
pub(super) async fn asked(bucket: &Bucket, key: &str) -> Result<Option<Reply>, Problem> {
    let head = async |client: Arc<Client>| head(&client, &client.address.name(key)).await;
    Box::pin(bucket.ask(head)).await
}

fn of(reply: &Reply, key: &str) -> Result<Stored, Problem> {
    let decoded = |text: &str| BASE64_STANDARD.decode(text).ok();
    let told =
        DIGESTS.iter().find_map(|(name, algorithm)| Digest::new(*algorithm, decoded(reply.header(name)?)?));
    let md5 = reply.tag().ok().and_then(|tag| md5_in(&reply.headers, &tag));
    let md5 = md5.and_then(|md5| Digest::new(Algorithm::Md5, md5.to_vec()));
    Ok(Stored {
        key: key.to_owned(),
        size_bytes: reply.size_bytes()?,
        tag: reply.header("etag").map(str::to_owned),
        crc64: proving::crc64_in(reply),
        digest: told.or(md5),
        content_type: reply.header("content-type").map(str::to_owned),
    })
}

pub(super) async fn read(
    bucket: &Bucket,
    stored: &Stored,
    range: Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
    if range.is_empty() {
        return Ok(stream::empty().boxed());
    }
    let fault = |problem: Problem| bucket.trouble(&problem, Act::Read, &stored.key);
    let ask = async |client: Arc<Client>| {
        let path = client.address.path(&client.address.name(&stored.key));
        let call = Call::new(Method::GET, path)
            .header("range", format!("bytes={}-{}", range.start, range.end - 1))
            .headers(stored.tag.clone().map(|tag| ("if-match".to_owned(), tag)))
            .once()
            .streamed();
        client.send(call).await
    };
    let replaced = || Trouble::gone(format!("{} was replaced or removed meanwhile", stored.key));
    let reply = match Box::pin(bucket.ask(ask)).await {
        Ok(reply) => reply,
        Err(problem) if is_replaced(&problem) => return Err(replaced()),
        Err(problem) => return Err(fault(problem)),
    };
    if stored.tag.as_deref().is_some_and(|tag| reply.header("etag") != Some(tag)) {
        return Err(replaced());
    }
    let begins =
        reply.header("content-range").and_then(|text| text.strip_prefix("bytes ")?.split('-').next());
    if begins.and_then(|begins| begins.parse().ok()) != Some(range.start) {
        return Err(Trouble::refused("S3 answered with another range than it was asked for"));
    }
    let body = reply.stream.ok_or_else(|| Trouble::passing("reading: S3 answered without a body"))?;
    let pouring = Pouring { body, left: range.end - range.start, wait: bucket.settings.patience.reply };
    Ok(stream::try_unfold(pouring, Pouring::next).boxed())
}

fn is_replaced(problem: &Problem) -> bool {
    let is_other =
        matches!(problem.status(), Some(StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE));
    is_other || (problem.is_missing() && problem.code() != "NoSuchBucket")
}

/// A range on its way.
struct Pouring {
    body: Incoming,
    left: u64,
    wait: Duration,
}

impl Pouring {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Trouble> {
        while self.left > 0 {
            let frame = timeout(self.wait, self.body.frame()).await;
            let frame = frame.map_err(|_| Trouble::passing("reading: no bytes came for too long"))?;
            let frame = frame.ok_or_else(|| Trouble::passing("reading: the answer ended early"))?;
            let frame =
                frame.map_err(|error| Trouble::passing(format!("reading: the line broke: {error}")))?;
            let Ok(bytes) = frame.into_data() else { continue };
            // A server that sends more than it was asked for is not believed.
            let wanted = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            if wanted > 0 {
                self.left -= wanted as u64;
                return Ok(Some((bytes.slice(..wanted), self)));
            }
        }
        Ok(None)
    }
}
