//! What every request passes: it gets an id, one line in the log, and what a refusal left unread of its body is
//! drained.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::DoorState;
use crate::door::turn_away;
use crate::refused::Refused;
use crate::s3;
use crate::settings::DrainBounds;

const REQUEST_ID: &str = "x-request-id";
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Names one request in its reply and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The client's, when it is sane; else a fresh one.
    fn of(headers: &HeaderMap) -> Self {
        let is_sane = |text: &&str| {
            (1..=REQUEST_ID_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_sane);
        given.map_or_else(|| Self(unlikely_text()), |text| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Sixteen hexadecimal digits that differ from call to call and from process to process. Not a secret.
pub(crate) fn unlikely_text() -> String {
    static CHANCE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}", CHANCE.hash_one(call))
}

/// The outermost layer.
pub(crate) async fn pass(State(state): State<DoorState>, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let route = route(&request, &state);
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        route,
        request_id = id.as_str(),
        upload.id = Empty,
        part.number = Empty,
        size_bytes = Empty,
        refusal = Empty,
    );
    answer(state, id, request, next).instrument(span).await
}

/// What a request is for, without the names in it.
fn route<'a>(request: &'a Request, state: &DoorState) -> &'a str {
    if s3::is_for(request, state) {
        return "/{bucket}/{key}";
    }
    request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str)
}

async fn answer(state: DoorState, id: RequestId, mut request: Request, next: Next) -> Response {
    let mut line = Line::begin();
    request.extensions_mut().insert(id.clone());
    let is_waiting = request.headers().contains_key(EXPECT);
    let may_close = request.version() < Version::HTTP_2;
    let (request, rest) = lend(request);
    let mut response = next.run(request).await;
    line.status = Some(response.status());
    let is_slow = response.status() == StatusCode::REQUEST_TIMEOUT;
    let is_drained = match rest.take_back() {
        None => true,
        Some(rest) if is_slow || (is_waiting && !rest.was_read) => false,
        Some(rest) => drain(rest, state.settings.drain).await,
    };
    if !is_drained && may_close {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let value = HeaderValue::try_from(id.0).expect("letters, digits and '._-' are a header's");
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

/// Turns away what is too long to look at. Within the layer of CORS: pages can read why.
pub(crate) async fn bound(
    State(state): State<DoorState>,
    id: RequestId,
    request: Request,
    next: Next,
) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query());
    let allowed_bytes = state.settings.target_bytes_max;
    if path.len() + query.map_or(0, str::len) > allowed_bytes {
        return turn_away(&state.settings, path, (&Refused::TargetTooLong { allowed_bytes }, &id));
    }
    next.run(request).await
}

/// One request's line in the log, written when its answer is ready or its client is gone.
struct Line {
    began: Instant,
    status: Option<StatusCode>,
}

impl Line {
    fn begin() -> Self {
        Self { began: Instant::now(), status: None }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration_ms = self.began.elapsed().as_secs_f64() * 1000.0;
        if let Some(status) = self.status {
            tracing::info!(status = status.as_u16(), duration_ms, "answered");
        } else {
            tracing::info!(duration_ms, "the client is gone");
        }
    }
}

/// A body that comes back when its reader is done with it.
struct Lent {
    body: Option<Body>,
    was_read: bool,
    back: Rest,
}

/// What the reader of a [`Lent`] body left.
#[derive(Clone, Default)]
struct Rest(Arc<Mutex<Option<Unread>>>);

struct Unread {
    body: Body,
    was_read: bool,
}

fn lend(request: Request) -> (Request, Rest) {
    let rest = Rest::default();
    if request.body().is_end_stream() {
        return (request, rest);
    }
    let back = rest.clone();
    let request = request.map(|body| Body::new(Lent { body: Some(body), was_read: false, back }));
    (request, rest)
}

impl Rest {
    fn take_back(&self) -> Option<Unread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.was_read = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            let was_read = self.was_read;
            *self.back.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Unread { body, was_read });
        }
    }
}

/// Reads what is left and forgets it; false when that is too much or takes too long.
async fn drain(rest: Unread, bounds: DrainBounds) -> bool {
    let mut body = rest.body;
    let reading = async {
        let mut left = bounds.bytes;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Some(less) = left.checked_sub(bytes) else {
                return false;
            };
            left = less;
        }
        true
    };
    tokio::time::timeout(bounds.wait, reading).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, given.parse().unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_sane_request_id_is_taken_over_and_another_replaced() {
        assert_eq!(id("a.B_9-z").as_str(), "a.B_9-z");
        for bad in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert_eq!(id(bad).as_str().len(), 16, "{bad:?}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
