//! Speaks to a router in text.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use towline_core::policy::Policy;
use towline_core::testing::House;
use towline_doors::{DoorSettings, Keyring, S3DoorSettings, router};
use towline_sigv4::Secret;

/// A house with its doors open.
pub(crate) struct Talk {
    pub(crate) house: House,
    router: Router,
}

/// The first upload's id, as the house counts.
pub(crate) const FIRST: &str = "00000000-0000-4000-8000-000000000001";
/// The first upload's id where a name was made up before.
pub(crate) const SECOND: &str = "00000000-0000-4000-8000-000000000002";

/// Headers that every reply has, or that say nothing in a transcript.
const UNSHOWN: [&str; 7] = [
    "access-control-expose-headers",
    "content-length",
    "vary",
    "x-request-id",
    "x-amz-request-id",
    "x-amz-id-2",
    "cache-control",
];

impl Default for Talk {
    fn default() -> Self {
        Self::with(DoorSettings::default())
    }
}

impl Talk {
    pub(crate) fn with(settings: DoorSettings) -> Self {
        Self::with_own(settings, Router::new())
    }

    /// With what a binary brings.
    pub(crate) fn with_own(settings: DoorSettings, own: Router) -> Self {
        Self::new(Policy::default(), settings, own)
    }

    /// Where parts of 4 bytes are large enough, and URLs lead to `up.test` and are signed alike each time.
    pub(crate) fn of_documents(settings: DoorSettings) -> Self {
        let keyring = Arc::new(Keyring::new(Secret::new("testing"), Vec::new()));
        let public_url = Some(PUBLIC.to_owned());
        let s3 = S3DoorSettings { keyring, ..settings.s3 };
        let policy = Policy { free_part_bytes_min: 4, ..Policy::default() };
        Self::new(policy, DoorSettings { public_url, s3, ..settings }, Router::new())
    }

    /// Where clients reach the store themselves.
    pub(crate) fn direct(settings: DoorSettings) -> Self {
        Self::direct_by(Policy::default(), settings)
    }

    pub(crate) fn direct_by(policy: Policy, settings: DoorSettings) -> Self {
        Self::open(House::direct(policy), settings, Router::new())
    }

    pub(crate) fn new(policy: Policy, settings: DoorSettings, own: Router) -> Self {
        Self::open(House::new(policy), settings, own)
    }

    fn open(house: House, settings: DoorSettings, own: Router) -> Self {
        let router = router(house.engine.clone(), settings, own);
        Self { house, router }
    }

    /// Says one request: its first line, headers, an empty line, its body.
    pub(crate) async fn say(&self, text: impl AsRef<[u8]>) -> String {
        to_text(self.ask(text.as_ref()).await).await
    }

    pub(crate) async fn ask(&self, text: &[u8]) -> Response<Body> {
        self.router.clone().oneshot(parse(text)).await.expect("a router always answers")
    }

    /// Asks with a body that falls silent where it should go on.
    pub(crate) async fn ask_in_part(&self, text: &str) -> Response<Body> {
        let request = parse(text.as_bytes());
        let silent = |body: Body| Body::from_stream(body.into_data_stream().chain(stream::pending()));
        self.router.clone().oneshot(request.map(silent)).await.expect("a router always answers")
    }

    /// Begins an upload of so many bytes in parts of 4 bytes, as the first.
    pub(crate) async fn begin(&self, file_size: u64) {
        let body = format!("{{\"filename\":\"a.bin\",\"file_size\":{file_size},\"chunk_size\":4}}");
        let reply = self.say(format!("POST /upload/init\n\n{body}")).await;
        assert!(reply.starts_with("200 OK"), "{reply}");
    }

    /// The text that a reply to this request holds under a name.
    pub(crate) async fn told(&self, request: &str, name: &str) -> String {
        let reply = self.say(request).await;
        let start = format!("\"{name}\":\"");
        let rest = reply.split_once(&start).unwrap_or_else(|| panic!("no {name} in {reply}")).1;
        rest.split_once('"').expect("a text ends").0.to_owned()
    }

    /// PUTs to a signed URL and returns the `ETag` of the answer.
    pub(crate) async fn put_to(&self, url: &str, bytes: &str) -> String {
        let target = url.strip_prefix(PUBLIC).expect("a URL of ours");
        let reply = self.ask(format!("PUT {target}\nHost: up.test\n\n{bytes}").as_bytes()).await;
        assert_eq!(reply.status(), 200, "{url}");
        reply.headers()["etag"].to_str().expect("a tag is text").to_owned()
    }

    pub(crate) async fn put(&self, number: u32, bytes: &str) -> String {
        self.say(format!("PUT /upload/{FIRST}/part/{number}\n\n{bytes}")).await
    }

    /// Uploads a file of these bytes under this key, as the first.
    pub(crate) async fn upload(&self, init: &str, bytes: &str) {
        self.say(format!("POST /upload/init\n\n{init}")).await;
        let put = self.put(1, bytes).await;
        assert!(put.starts_with("200 OK"), "{put}");
        let done = self.say(format!("POST /upload/{FIRST}/complete\n\n")).await;
        assert!(done.starts_with("200 OK"), "{done}");
    }
}

/// Where servers of [`Talk::of_documents`] are reached.
const PUBLIC: &str = "http://up.test";

/// A transcript without what signs its URLs.
pub(crate) fn unsigned(text: &str) -> String {
    let mut pieces = text.split('?');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (query, rest) = piece.split_at(piece.find('"').unwrap_or(piece.len()));
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-")).collect();
        let mark = if kept.is_empty() { "" } else { "?" };
        plain.extend([mark, &kept.join("&"), rest]);
    }
    plain
}

fn parse(text: &[u8]) -> Request<Body> {
    let end = text.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&text[..end], &text[end + 2..]),
        None => (text, &b""[..]),
    };
    let head = std::str::from_utf8(head).expect("heads are text");
    let mut lines = head.lines().map(str::trim);
    let (method, target) =
        lines.next().and_then(|line| line.split_once(' ')).expect("the first line is 'METHOD target'");
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header is 'name: value'");
        request = request.header(name.trim(), value.trim());
    }
    let is_measured = request.headers_ref().is_some_and(|headers| headers.contains_key("content-length"));
    if !is_measured && !body.is_empty() {
        request = request.header("content-length", body.len());
    }
    if !request.headers_ref().is_some_and(|headers| headers.contains_key("x-request-id")) {
        request = request.header("x-request-id", "r1");
    }
    let frames: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(7).map(|frame| Ok(Bytes::copy_from_slice(frame))).collect();
    let body = if frames.is_empty() { Body::empty() } else { Body::from_stream(stream::iter(frames)) };
    request.body(body).expect("the text is a request")
}

async fn to_text(response: Response<Body>) -> String {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("the body comes whole").to_bytes();
    let mut text = format!("{}\n", parts.status);
    for line in shown(&parts.headers) {
        text.push_str(&line);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&bytes));
    text
}

fn shown(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !UNSHOWN.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines
}
