//! Signed requests to one bucket over one pool of connections. All retrying is here, bounded in tries and in time,
//! with full jitter, and so are all time-outs.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use towline_core::clock::{Clock, Timestamp};
use towline_core::error::{Fault, FaultKind};
use towline_sigv4::{Moment, Payload, Signer, Target};

use crate::address::Address;
use crate::credentials::Purse;
use crate::problem::Problem;
use crate::settings::{BucketSettings, Patience};
use crate::tag::bare;
use crate::wire::{Body, Certificates, Line, Wire, whole};
use crate::xml;

mod flow;

pub use self::flow::Flow;

/// The longest document that is read: a list of a thousand names at their longest is below it.
const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The slowest a body is expected to go to S3.
const BODY_BYTES_PER_S_MIN: u64 = 128 * 1024;
/// How many requests may be under way beside those that carry parts.
const REQUESTS_BESIDE: usize = 64;

/// What a request carries. It can be had again for another try.
#[derive(Clone)]
pub enum Content {
    None,
    Text(Bytes),
    /// So many bytes, from where they are.
    Stream(u64, Arc<dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("size_bytes", &self.size_bytes()).finish_non_exhaustive()
    }
}

impl Content {
    fn size_bytes(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Text(text) => text.len() as u64,
            Self::Stream(size_bytes, _) => *size_bytes,
        }
    }

    fn payload(&self) -> Payload {
        match self {
            Self::None => Payload::Sha256(Sha256::digest([]).into()),
            Self::Text(text) => Payload::Sha256(Sha256::digest(text).into()),
            // Hashing it would cost more than all else that is done with it; its checksum is a signed header.
            Self::Stream(..) => Payload::Unsigned,
        }
    }

    fn body(&self) -> Body {
        match self {
            Self::None => whole(Bytes::new()),
            Self::Text(text) => whole(text.clone()),
            Self::Stream(_, open) => {
                StreamBody::new(open().map(|frame| frame.map(Frame::data))).boxed_unsync()
            }
        }
    }
}

/// One request, but for its signature.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(String, String)>,
    content: Content,
    /// The server works on it for long, and may find out after a good status that it comes to nothing.
    is_slow: bool,
    /// It is not asked again.
    is_once: bool,
    /// The answer is handed on as it comes.
    is_streamed: bool,
}

impl Call {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            content: Content::None,
            is_slow: false,
            is_once: false,
            is_streamed: false,
        }
    }

    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    #[must_use]
    pub fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// The server takes long for this, and may say in a good answer that it came to nothing.
    #[must_use]
    pub fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }

    /// A problem is not tried again.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// A good answer is handed on as it comes.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.is_streamed = true;
        self
    }
}

/// A good answer.
#[derive(Debug)]
pub struct Reply {
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body of an answer that was asked for as a stream.
    pub stream: Option<Incoming>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The `ETag`, without its quotes.
    pub fn tag(&self) -> Result<String, Problem> {
        let tag = self.header("etag").map(bare).filter(|tag| !tag.is_empty());
        Ok(tag.ok_or_else(|| Problem::garbled("no ETag"))?.to_owned())
    }

    pub fn size_bytes(&self) -> Result<u64, Problem> {
        let size = self.header("content-length").and_then(|text| text.parse().ok());
        size.ok_or_else(|| Problem::garbled("no Content-Length"))
    }

    pub fn modified_at(&self) -> Timestamp {
        let at = self.header("last-modified").and_then(|text| httpdate::parse_http_date(text).ok());
        let since = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Asks one bucket, in one region.
pub struct Client {
    pub wire: Wire,
    pub address: Address,
    region: String,
    purse: Purse,
    clock: Arc<dyn Clock>,
    patience: Patience,
    /// The requests under way, those with parts among them.
    requests: Semaphore,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Client {
    /// Asks nothing yet.
    pub fn new(settings: &BucketSettings, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let address = Address::new(settings)?;
        let wire = wire(settings, &address)?;
        let purse = Purse::new(settings);
        // With all of those that carry bodies under way there is room for what is answered quickly.
        let requests =
            Semaphore::new(settings.bodies_max.saturating_add(REQUESTS_BESIDE).min(Semaphore::MAX_PERMITS));
        let region = settings.region.clone();
        Ok(Self { wire, address, region, purse, clock, patience: settings.patience, requests })
    }

    pub fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The one that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signs with the credentials of this moment.
    pub async fn signer(&self) -> Result<Arc<Signer>, Fault> {
        self.purse.signer(self.clock.now()).await
    }

    /// Asks, again where that may help, and gives back a good answer only.
    pub async fn send(&self, call: Call) -> Result<Reply, Problem> {
        let until = Instant::now() + self.patience.total + transfer_time(&call.content);
        let mut tries = 0;
        let mut was_stale = false;
        loop {
            let problem = match Box::pin(self.attempt(&call)).await {
                Ok(reply) => return Ok(reply),
                Err(problem) => problem,
            };
            tries += 1;
            if problem.is_stale() && !was_stale {
                was_stale = true;
                self.purse.forget().await;
                continue;
            }
            let pause = jitter(self.patience.pause, tries);
            let is_last = call.is_once || tries >= self.patience.tries || Instant::now() + pause >= until;
            if is_last || !problem.may_pass() {
                return Err(problem);
            }
            tracing::debug!(tries, problem = %problem, "asking S3 again");
            sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Reply, Problem> {
        let request = self.request(call).await?;
        let turn =
            timeout(self.patience.total, self.requests.acquire()).await.map_err(|_| Problem::TimedOut)?;
        let _turn = turn.expect("the semaphore is never closed");
        let wait = if call.is_slow { self.patience.slow_reply } else { self.patience.reply };
        let asked = timeout(wait + transfer_time(&call.content), self.wire.request(request)).await;
        let response =
            asked.map_err(|_| Problem::TimedOut)?.map_err(|error| Problem::Broken(error.into()))?;
        answer(response, call, wait).await
    }

    /// The call, signed with the credentials of this moment.
    pub async fn request(&self, call: &Call) -> Result<Request<Body>, Problem> {
        let content = &call.content;
        self.signed(call, (content.payload(), content.size_bytes()), content.body()).await
    }

    async fn signed(
        &self,
        call: &Call,
        (payload, size_bytes): (Payload, u64),
        body: Body,
    ) -> Result<Request<Body>, Problem> {
        let signer = self.signer().await.map_err(Problem::Ours)?;
        let query: Vec<_> = call.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers: Vec<_> =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let target = Target {
            method: call.method.as_str(),
            origin: &self.address.origin,
            path: &call.path,
            query: &query,
            headers: &headers,
        };
        let signed = signer.sign(&target, payload, moment(self.clock.now()));
        let mut request = Request::builder().method(call.method.clone()).uri(target.url());
        for (name, value) in
            headers.iter().copied().chain(signed.iter().map(|(name, value)| (*name, value.as_str())))
        {
            request = request.header(name, value);
        }
        if call.method == Method::PUT || call.method == Method::POST {
            request = request.header(http::header::CONTENT_LENGTH, size_bytes);
        }
        request
            .body(body)
            .map_err(|error| Problem::Ours(Fault::new(FaultKind::Internal, "making a request to S3", error)))
    }
}

async fn answer(response: Response<Incoming>, call: &Call, wait: Duration) -> Result<Reply, Problem> {
    let (head, incoming) = response.into_parts();
    let is_good = head.status.is_success();
    if is_good && call.is_streamed {
        return Ok(Reply { headers: head.headers, body: Bytes::new(), stream: Some(incoming) });
    }
    let body = gather(incoming, wait).await?;
    if is_good && !(call.is_slow && xml::is_refusal(&body)) {
        return Ok(Reply { headers: head.headers, body, stream: None });
    }
    Err(refused(&head, &body))
}

/// A whole body, of a bounded size.
pub async fn gather(mut body: Incoming, wait: Duration) -> Result<Bytes, Problem> {
    let mut gathered = Vec::new();
    loop {
        let frame = timeout(wait, body.frame()).await.map_err(|_| Problem::TimedOut)?;
        let Some(frame) = frame else { return Ok(gathered.into()) };
        let frame = frame.map_err(|error| Problem::Broken(error.into()))?;
        let Some(data) = frame.data_ref() else { continue };
        if gathered.len() + data.len() > REPLY_BYTES_MAX {
            return Err(Problem::garbled("it is too long"));
        }
        gathered.extend_from_slice(data);
    }
}

/// The answer to a `HEAD` says no more than its status; one that began well has a status that is not true.
fn refused(head: &http::response::Parts, body: &[u8]) -> Problem {
    let refusal = xml::read_refusal(body);
    let status = if head.status.is_success() { xml::status_of(&refusal.code) } else { head.status };
    let told = head.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    // Only here it says where the bucket is, and not merely which region the server is of.
    let is_elsewhere = status.is_redirection()
        || refusal.code == "AuthorizationHeaderMalformed"
        || (status == http::StatusCode::BAD_REQUEST && refusal.code.is_empty());
    let region = told.or(refusal.region.as_deref()).filter(|region| is_elsewhere && !region.is_empty());
    let message = match region {
        Some(region) if status.is_redirection() => format!("the bucket is in region {region}"),
        Some(_) | None => refusal.message.clone(),
    };
    let retry_after =
        head.headers.get(http::header::RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse().ok());
    Problem::refused(status, &refusal.code, &message).told(region, retry_after.map(Duration::from_secs))
}

/// As signatures tell time.
pub fn moment(at: Timestamp) -> Moment {
    Moment::from_unix(at.as_millis().div_euclid(1000))
}

/// How long the slowest line that is waited for takes to carry this.
pub fn transfer_time(content: &Content) -> Duration {
    Duration::from_secs(content.size_bytes() / BODY_BYTES_PER_S_MIN)
}

/// Anything up to a bound that doubles: many that were refused together do not come back together.
fn jitter(pause: Duration, tries: u32) -> Duration {
    const PAUSE_MAX: Duration = Duration::from_secs(10);
    let most = pause.saturating_mul(2_u32.saturating_pow(tries - 1)).min(PAUSE_MAX);
    most.mul_f64(fastrand::f64())
}

fn wire(settings: &BucketSettings, address: &Address) -> Result<Wire, Fault> {
    let is_plain = address.origin.as_str().starts_with("http://");
    crate::wire::connect(Line {
        connect: settings.patience.connect,
        idle_max: settings.bodies_max.max(8),
        certificates: if is_plain { Certificates::None } else { Certificates::Needed },
    })
}

/// The status, headers and body of a small exchange that is not S3's: the chain of credentials has its own servers.
pub async fn ask(
    wire: &Wire,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let response = wire.request(request.map(whole)).await?;
    let (head, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, REPLY_BYTES_MAX).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
