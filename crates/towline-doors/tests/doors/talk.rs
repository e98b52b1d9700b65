//! Speaks to a router in text.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use towline_core::policy::Policy;
use towline_core::testing::House;
use towline_doors::{DoorSettings, router};

/// A house with its doors open.
pub(crate) struct Talk {
    pub(crate) house: House,
    router: Router,
}

/// The first upload's id, as the house counts.
pub(crate) const FIRST: &str = "00000000-0000-4000-8000-000000000001";

/// Headers that every reply has, or that say nothing in a transcript.
const UNSHOWN: [&str; 5] =
    ["access-control-expose-headers", "content-length", "vary", "x-request-id", "cache-control"];

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
        let house = House::new(Policy::default());
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

    /// Begins an upload of so many bytes in parts of 4 bytes, as the first.
    pub(crate) async fn begin(&self, file_size: u64) {
        let body = format!("{{\"filename\":\"a.bin\",\"file_size\":{file_size},\"chunk_size\":4}}");
        let reply = self.say(format!("POST /upload/init\n\n{body}")).await;
        assert!(reply.starts_with("200 OK"), "{reply}");
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
