//! One request and its answer, with bounds on every wait. Nothing is repeated here.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::time::timeout;
use towline_core::error::chain;
use towline_s3::wire::{self, Wire};

use super::broken::broken;
use super::flow::Flow;
use crate::remote::Frames;
use crate::trouble::Trouble;

/// Connections that nobody uses at the moment and that are kept all the same.
const IDLE_MAX: usize = 64;

/// How long things may take. A body that moves may take as long as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until a connection is made.
    pub connect: Duration,
    /// How long a body may stand still, on its way out or in.
    pub silence: Duration,
    /// Until an answer comes, once everything is said.
    pub reply: Duration,
    /// The same where the other end makes a file visible, which may read all of it.
    pub finish: Duration,
    /// How often a request that may be repeated is tried; less often while no server has answered yet.
    pub tries: u32,
    /// How long after its first failure it is begun again.
    pub repeating: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_mins(1),
            reply: Duration::from_mins(1),
            finish: Duration::from_mins(5),
            tries: 15,
            repeating: Duration::from_mins(2),
        }
    }
}

pub(super) struct Line {
    wire: Wire,
    pub(super) patience: Patience,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// The head of an answer; its body is still to come.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Where it came from.
    pub(super) uri: Uri,
    body: Incoming,
    silence: Duration,
    /// An answer may come before all of the request is out.
    _flow: Option<Flow>,
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) trouble: Trouble,
    /// There was no connection, or none that could be trusted.
    pub(super) is_unreached: bool,
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Self {
        unanswered.trouble
    }
}

impl Line {
    pub(super) fn open(is_tls: bool, patience: Patience) -> Result<Self, Trouble> {
        // A server without TLS may send parts to a store that has it.
        let certificates = if is_tls { wire::Certificates::Needed } else { wire::Certificates::Found };
        let line = wire::Line { connect: patience.connect, idle_max: IDLE_MAX, certificates };
        let wire = wire::connect(line).map_err(|fault| {
            Trouble::refused(chain(&fault)).hint("install the system's certificates (ca-certificates)")
        })?;
        Ok(Self { wire, patience })
    }

    /// Asks with a body that is there already.
    pub(super) async fn ask(&self, request: Request<Bytes>, wait: Duration) -> Result<Answer, Trouble> {
        let uri = request.uri().clone();
        let answer = timeout(wait, self.wire.request(request.map(wire::whole))).await;
        let answer = answer.map_err(|_| late(&uri))?.map_err(|error| broken(&error, &uri))?;
        Ok(self.answer(answer, (uri, None)))
    }

    /// Asks with a body that is read meanwhile.
    pub(super) async fn send(&self, request: Request<Frames>) -> Result<Answer, Unanswered> {
        let uri = request.uri().clone();
        let (mut head, frames) = request.into_parts();
        let size_bytes = frames.size_bytes;
        head.headers.insert(CONTENT_LENGTH, size_bytes.into());
        let (flowing, flow) = Flow::over(frames.stream, size_bytes);
        let body = StreamBody::new(flowing.map(|slice| slice.map(Frame::data))).boxed_unsync();
        let answer = self.wire.request(Request::from_parts(head, body));
        let answer = flow.wait(answer, (size_bytes, &self.patience)).await;
        if let Some(what) = flow.failed() {
            return Err(Unanswered { trouble: Trouble::source(what), is_unreached: false });
        }
        let answer = answer.ok_or_else(|| Unanswered { trouble: late(&uri), is_unreached: false })?;
        let answer = answer.map_err(|error| Unanswered {
            trouble: broken(&error, &uri),
            is_unreached: error.is_connect(),
        })?;
        Ok(self.answer(answer, (uri, Some(flow))))
    }

    fn answer(&self, answer: http::Response<Incoming>, (uri, flow): (Uri, Option<Flow>)) -> Answer {
        let (head, body) = answer.into_parts();
        let silence = self.patience.silence;
        Answer { status: head.status, headers: head.headers, uri, body, silence, _flow: flow }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body, which is expected to be small.
    pub(super) async fn whole(mut self, bytes_max: usize) -> Result<Bytes, Trouble> {
        let mut whole = BytesMut::new();
        while let Some(frame) = self.next().await? {
            if whole.len() + frame.len() > bytes_max {
                return Err(Trouble::refused(format!("the answer of {} is too long", host(&self.uri))));
            }
            whole.extend_from_slice(&frame);
        }
        Ok(whole.freeze())
    }

    /// The body as it comes.
    pub(super) fn frames(self) -> BoxStream<'static, Result<Bytes, Trouble>> {
        let frames = stream::unfold(Some(self), |answer| async {
            let mut answer = answer?;
            match answer.next().await.transpose()? {
                Ok(frame) => Some((Ok(frame), Some(answer))),
                Err(trouble) => Some((Err(trouble), None)),
            }
        });
        frames.boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let frame = timeout(self.silence, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| late(&self.uri))? else {
                return Ok(None);
            };
            let frame = frame.map_err(|_| {
                Trouble::passing(format!("the line to {} broke in mid-answer", host(&self.uri)))
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

fn late(uri: &Uri) -> Trouble {
    Trouble::late(format!("{} did not answer in time", host(uri)))
}

/// Which machine a URL names.
pub(super) fn host(uri: &Uri) -> &str {
    uri.authority().map_or("the server", |authority| authority.as_str())
}
