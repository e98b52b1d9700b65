//! What the log is told. Alone in its process: which events are wanted is remembered for the whole of it.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;
use towline_core::testing::House;
use towline_doors::{DoorSettings, router};
use tracing_subscriber::fmt::MakeWriter;

const FIRST: &str = "00000000-0000-4000-8000-000000000001";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().expect("no writer panics").clone());
        text.expect("the log is text").lines().map(str::to_owned).collect()
    }
}

async fn say(router: &Router, method: &str, target: &str, body: &'static str) {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("x-request-id", "r1")
        .header("authorization", "Bearer hunter2")
        .body(Body::from(body))
        .expect("the request is one");
    router.clone().oneshot(request).await.expect("a router always answers");
}

#[tokio::test]
async fn a_request_is_one_line_that_tells_of_its_refusal_and_of_no_name_or_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = router(House::default().engine, DoorSettings::default(), Router::new());
    let init = r#"{"filename":"a.bin","file_size":8,"chunk_size":4}"#;
    say(&router, "POST", "/upload/init", init).await;
    say(&router, "PUT", &format!("/upload/{FIRST}/part/2"), "4567").await;
    say(&router, "GET", "/download/secret%0Aname", "").await;
    say(&router, "GET", "/nothing", "").await;
    say(&router, "PATCH", "/health", "").await;
    let lines = log.lines();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for field in [
        "method=PUT",
        "route=\"/upload/{session_id}/part/{part_number}\"",
        "request_id=\"r1\"",
        "part.number=2",
        "size_bytes=4",
        "status=200",
        "duration_ms=",
        &format!("upload.id={FIRST}"),
    ] {
        assert!(lines[1].contains(field), "{field}: {}", lines[1]);
    }
    for (line, refusal) in lines[2..].iter().zip(["bad-field", "no-route", "wrong-method"]) {
        assert!(line.contains(&format!("refusal=\"{refusal}\"")), "{refusal}: {line}");
    }
    let all = lines.join("\n");
    assert!(!all.contains("secret") && !all.contains("hunter2") && !all.contains("a.bin"), "{all}");
}
