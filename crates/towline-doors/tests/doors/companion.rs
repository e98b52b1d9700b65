//! The companion door's transcripts: what Uppy's S3 plugins send and read.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Response;
use hyper::ext::ReasonPhrase;
use insta::assert_snapshot;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use towline_core::policy::{Operation, Principal};
use towline_doors::{Authenticator, DoorKind, DoorSettings, Token};
use tracing_subscriber::fmt::MakeWriter;

use crate::talk::{SECOND, Talk, unsigned};

/// The key of the first upload of `video.mp4`, in a query.
const KEY: &str = "00000000-0000-4000-8000-000000000001-video.mp4";

fn talk() -> Talk {
    Talk::of_documents(DoorSettings::default())
}

async fn create(talk: &Talk) {
    let body = r#"{"filename":"video.mp4","type":"video/mp4","metadata":{}}"#;
    let id = talk.told(&format!("POST /s3/multipart\n\n{body}"), "uploadId").await;
    assert_eq!(id, SECOND);
}

async fn send(talk: &Talk, number: u32, bytes: &str) -> String {
    let url = talk.told(&format!("GET /s3/multipart/{SECOND}/{number}?key={KEY}"), "url").await;
    talk.put_to(&url, bytes).await
}

fn complete(parts: &Value) -> String {
    format!("POST /s3/multipart/{SECOND}/complete?key={KEY}\n\n{}", json!({"parts": parts}))
}

fn reason(reply: &Response<Body>) -> String {
    let phrase = reply.extensions().get::<ReasonPhrase>().expect("a refusal has a phrase of its own");
    String::from_utf8(phrase.as_bytes().to_vec()).expect("a phrase is ASCII")
}

#[tokio::test]
async fn the_documents_page_uploads_in_parts() {
    let talk = talk();
    let body = r#"{"filename":"video.mp4","type":"video/mp4","metadata":{"relativePath":null,"name":"video.mp4","size":12,"caption":"ü"}}"#;
    assert_snapshot!(talk.say(format!("POST /s3/multipart\nContent-Type: application/json\n\n{body}")).await, @r#"
    200 OK
    content-type: application/json

    {"key":"00000000-0000-4000-8000-000000000001-video.mp4","uploadId":"00000000-0000-4000-8000-000000000002","bucket":"towline"}
    "#);
    let reply = talk.say(format!("GET /s3/multipart/{SECOND}/1?key={KEY}")).await;
    assert!(reply.contains("X-Amz-Signature="), "{reply}");
    assert_snapshot!(unsigned(&reply), @r#"
    200 OK
    content-type: application/json

    {"url":"http://up.test/towline/00000000-0000-4000-8000-000000000001-video.mp4?partNumber=1&uploadId=00000000-0000-4000-8000-000000000002","expires":900}
    "#);
    let (second, first) = (send(&talk, 2, "89").await, send(&talk, 1, "01234567").await);
    assert_snapshot!(talk.say(format!("GET /s3/multipart/{SECOND}?key={KEY}")).await, @r#"
    200 OK
    content-type: application/json

    [{"PartNumber":1,"Size":8,"ETag":"\"2e9ec317e197819358fbc43afca7d837\"","LastModified":"2026-11-21T00:00:00.000Z"},{"PartNumber":2,"Size":2,"ETag":"\"7647966b7343c29048673252e490f736\"","LastModified":"2026-11-21T00:00:00.000Z"}]
    "#);
    let parts = json!([
        {"PartNumber": 2, "ETag": second, "etag": second, "content-length": "0", "last-modified": "now"},
        {"PartNumber": 1, "ETag": first.trim_matches('"')},
        {"PartNumber": 2, "ETag": second},
    ]);
    let completed = talk.say(complete(&parts)).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"location":"http://up.test/towline/00000000-0000-4000-8000-000000000001-video.mp4","key":"00000000-0000-4000-8000-000000000001-video.mp4","bucket":"towline"}
    "#);
    assert_eq!(talk.say(complete(&parts)).await, completed, "a repeat is answered alike");
    assert_eq!(talk.house.store.object(KEY).unwrap(), "0123456789");
    let abort = format!("DELETE /s3/multipart/{SECOND}?key={KEY}");
    assert_snapshot!(talk.say(&abort).await, @r"
    200 OK
    content-type: application/json

    {}
    ");
    assert_eq!(talk.house.store.object(KEY).unwrap(), "0123456789", "what is completed stays");
    let located = talk.say(format!("GET /towline/{KEY}\nhost: up.test")).await;
    assert!(located.starts_with("200 OK") && located.ends_with("\n0123456789"), "{located}");
}

#[tokio::test]
async fn what_comes_with_the_file_is_kept() {
    let talk = talk();
    let body = r#"{"filename":"a/b ü.mp4","type":"","metadata":{"gone":null,"size":12,"caption":"ü"}}"#;
    let key = talk.told(&format!("POST /s3/multipart\n\n{body}"), "key").await;
    assert_eq!(key, "00000000-0000-4000-8000-000000000001-a_b ü.mp4");
    let id = towline_core::upload::UploadId::parse(SECOND).unwrap();
    let about = talk.house.engine.status(&Principal::anonymous(), id).await.unwrap().about;
    let kept = [("caption", "ü"), ("size", "12")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((about.metadata, about.content_type), (kept.to_vec(), None));
    let list = format!("GET /s3/multipart/{SECOND}?key=00000000-0000-4000-8000-000000000001-a_b+%C3%BC.mp4");
    assert!(talk.say(list).await.ends_with("[]"), "a '+' is a space");
}

#[tokio::test]
async fn many_parts_are_signed_at_once() {
    let talk = talk();
    create(&talk).await;
    let batch = |numbers: &str| format!("GET /s3/multipart/{SECOND}/batch?key={KEY}&partNumbers={numbers}");
    assert_snapshot!(unsigned(&talk.say(batch("1,2")).await), @r#"
    200 OK
    content-type: application/json

    {"presignedUrls":{"1":"http://up.test/towline/00000000-0000-4000-8000-000000000001-video.mp4?partNumber=1&uploadId=00000000-0000-4000-8000-000000000002","2":"http://up.test/towline/00000000-0000-4000-8000-000000000001-video.mp4?partNumber=2&uploadId=00000000-0000-4000-8000-000000000002"}}
    "#);
    let all = talk.say(batch("1-10000")).await;
    assert_eq!(all.matches("X-Amz-Signature").count(), 10_000);
    let single = talk.told(&format!("GET /s3/multipart/{SECOND}/77?key={KEY}"), "url").await;
    assert_eq!(talk.told(&batch("70-80"), "77").await, single, "the same URL either way");
    for bad in ["", "0", "1,10001", "1-10001", "one"] {
        assert!(talk.say(batch(bad)).await.starts_with("400"), "{bad}");
    }
}

#[tokio::test]
async fn small_files_get_a_form() {
    let talk = talk();
    let query =
        "filename=a+b.txt&type=text%2Fplain&metadata[caption]=x+y&metadata%5Bname%5D=a&metadata[no]=null";
    let reply = talk.say(format!("GET /s3/params?{query}")).await;
    let form: Value = serde_json::from_str(reply.split("\n\n").nth(1).unwrap()).unwrap();
    let fields = form["fields"].as_object().unwrap();
    assert_eq!(
        (&form["method"], &form["url"], &form["expires"]),
        (&json!("POST"), &json!("http://up.test/towline"), &json!(900))
    );
    assert_eq!(fields["key"], "00000000-0000-4000-8000-000000000001-a b.txt");
    assert_eq!(fields["Content-Type"], "text/plain");
    assert_eq!(fields["x-amz-meta-caption"], "x y");
    assert_eq!(fields["success_action_status"], "201");
    assert!(!fields.contains_key("file") && !fields.contains_key("x-amz-meta-no"), "{fields:?}");
    assert!(fields.values().all(Value::is_string), "{fields:?}");
}

#[tokio::test]
async fn a_page_that_signs_for_itself_is_lent_credentials() {
    let talk = talk();
    let reply = talk.say("GET /s3/sts").await;
    let lent: Value = serde_json::from_str(reply.split("\n\n").nth(1).unwrap()).unwrap();
    assert_eq!((&lent["bucket"], &lent["region"]), (&json!("towline"), &json!("us-east-1")));
    assert_eq!(lent["credentials"]["Expiration"], "2026-11-21T00:15:00.000Z");
    for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"] {
        assert!(lent["credentials"][name].as_str().is_some_and(|text| text.len() > 16), "{reply}");
    }
}

#[tokio::test]
async fn where_clients_reach_the_store_its_own_urls_are_given() {
    let talk = Talk::direct(DoorSettings::default());
    create(&talk).await;
    let sign = format!("GET /s3/multipart/{SECOND}/7?key={KEY}");
    let expected = format!("https://store.test/box/{KEY}?partNumber=7&uploadId=store-40008000000000000002");
    assert_eq!(talk.told(&sign, "url").await, expected);
    assert_snapshot!(talk.say("GET /s3/params?filename=a").await, @r#"
    200 OK
    content-type: application/json

    {"method":"POST","url":"https://store.test/box","fields":{"key":"00000000-0000-4000-8000-000000000003-a"},"expires":900}
    "#);
    assert_snapshot!(talk.say("GET /s3/sts").await, @r#"
    501 Not Implemented
    content-type: application/json

    {"message":"Clients reach the store themselves, and there is no access key for it that may be handed out: use signed URLs","error":"Clients reach the store themselves, and there is no access key for it that may be handed out: use signed URLs","code":"no-keys"}
    "#);
}

#[tokio::test]
async fn refusals_are_read_by_every_version_of_uppy() {
    let talk = talk();
    create(&talk).await;
    let (first, second) = (send(&talk, 1, "012").await, send(&talk, 2, "3456").await);
    let named = |number: u64, tag: &str| json!({"PartNumber": number, "ETag": tag});
    assert_snapshot!(talk.say(complete(&json!([named(1, &second)]))).await, @r#"
    400 Bad Request
    content-type: application/json

    {"message":"Part 1 is not the one that landed: its ETag is another","error":"Part 1 is not the one that landed: its ETag is another","code":"part-tag"}
    "#);
    assert_snapshot!(talk.say(complete(&json!([named(1, &first), named(2, &second)]))).await, @r#"
    400 Bad Request
    content-type: application/json

    {"message":"Part 1 has 3 bytes, every part but the last needs at least 4","error":"Part 1 has 3 bytes, every part but the last needs at least 4","code":"part-too-small"}
    "#);
    let cases = [
        (complete(&json!([])), 400, "Missing parts: [1]"),
        (complete(&json!([named(3, &first)])), 400, "Part 3 is not the one that landed: its ETag is another"),
        (complete(&json!([named(10_001, &first)])), 400, "Part number 10001 is not between 1 and 10000"),
        (complete(&json!([{"PartNumber": 1}])), 400, "ETag: is missing"),
        ("POST /s3/multipart\n\n{\"type\":\"\"}".to_owned(), 400, "filename: is missing"),
        ("POST /s3/multipart\n\nx".to_owned(), 400, "body: is not JSON: it goes wrong in line 1, column 1"),
        ("GET /s3/params?type=a".to_owned(), 400, "filename: is missing"),
        (format!("GET /s3/multipart/{SECOND}"), 400, "key: is missing"),
        (
            format!("GET /s3/multipart/{SECOND}/10001?key={KEY}"),
            400,
            "Part number 10001 is not between 1 and 10000",
        ),
        (
            format!("GET /s3/multipart/{SECOND}/one?key={KEY}"),
            400,
            "partNumber: \"one\" is not a whole number",
        ),
        (
            format!("GET /s3/multipart/{SECOND}?key=other"),
            404,
            "Upload session not found: 00000000-0000-4000-8000-000000000002",
        ),
        (
            format!("DELETE /s3/multipart/{SECOND}?key=other"),
            404,
            "Upload session not found: 00000000-0000-4000-8000-000000000002",
        ),
        (
            format!("GET /s3/multipart/ü?key={KEY}").replace('ü', "%C3%BC"),
            404,
            "Upload session not found: \"?\" is no session id",
        ),
    ];
    for (request, status, phrase) in cases {
        let reply = talk.ask(request.as_bytes()).await;
        assert_eq!((reply.status().as_u16(), reason(&reply).as_str()), (status, phrase), "{request}");
    }
}

#[tokio::test]
async fn what_does_not_reach_a_handler_is_refused_so_too() {
    let talk = talk();
    let long = "x".repeat(9000);
    assert_snapshot!(talk.say(format!("GET /s3/params?filename={long}\nOrigin: http://localhost")).await, @r#"
    414 URI Too Long
    access-control-allow-origin: http://localhost
    content-type: application/json

    {"message":"The request target is longer than the 8192 bytes allowed","error":"The request target is longer than the 8192 bytes allowed","code":"target-too-long"}
    "#);
    for request in [
        format!("GET //s3/multipart/{SECOND}/batch?key={KEY}&partNumbers={long}"),
        format!("GET /t/secret/s3/params?filename={long}"),
        "GET /s3/nothing".to_owned(),
        "PATCH /t/secret/s3/params".to_owned(),
    ] {
        let reply = talk.ask(request.as_bytes()).await;
        assert!(
            reply.headers()["content-type"] == "application/json" && !reason(&reply).is_empty(),
            "{request}"
        );
    }
    let closed = Talk::with(DoorSettings { doors: vec![DoorKind::Session], ..DoorSettings::default() });
    assert!(closed.say("GET /s3/params").await.contains("/api/errors#no-route"));
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_gone() {
    let talk = talk();
    create(&talk).await;
    let abort = format!("DELETE /s3/multipart/{SECOND}?key={KEY}");
    let aborted = talk.say(&abort).await;
    assert_snapshot!(aborted, @r"
    200 OK
    content-type: application/json

    {}
    ");
    assert_eq!(talk.say(&abort).await, aborted, "a repeat is answered alike");
    assert_snapshot!(talk.say(format!("GET /s3/multipart/{SECOND}/1?key={KEY}")).await, @r#"
    400 Bad Request
    content-type: application/json

    {"message":"Upload session is cancelled","error":"Upload session is cancelled","code":"not-open"}
    "#);
    assert_snapshot!(talk.say(format!("GET /s3/multipart/{SECOND}?key={KEY}")).await, @r#"
    400 Bad Request
    content-type: application/json

    {"message":"Upload session is cancelled","error":"Upload session is cancelled","code":"not-open"}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_list_of_parts_may_be_long() {
    let talk = talk();
    create(&talk).await;
    let tag = send(&talk, 1, "0123").await;
    let padded = |mib: usize| {
        let parts = json!([{"PartNumber": 1, "ETag": tag, "x-amz-id-2": "x".repeat(mib << 20)}]);
        complete(&parts)
    };
    let reply = talk.ask(padded(8).as_bytes()).await;
    let told = "The body is larger than the 8388608 bytes allowed";
    assert_eq!((reply.status().as_u16(), reason(&reply).as_str()), (413, told));
    assert!(talk.say(padded(2)).await.starts_with("200"));
}

/// What was logged, for the test to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_token_in_the_path_is_one_and_is_never_shown() {
    let principal = Principal {
        owner: "ali".to_owned(),
        operations: vec![Operation::Upload],
        key_prefix: "ali/".to_owned(),
    };
    let sha256 = Sha256::digest("open-sesame").into();
    let authenticator = Authenticator::Tokens(vec![Token { sha256, principal }]);
    let talk = Talk::of_documents(DoorSettings { authenticator, ..DoorSettings::default() });
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let body = r#"{"filename":"a.txt"}"#;
    for base in ["/t/open-sesame/s3", "/t/open-sesame//s3"] {
        let reply = talk.say(format!("POST {base}/multipart\n\n{body}")).await;
        assert!(reply.starts_with("200") && reply.contains("{\"key\":\"ali/0000"), "{reply}");
    }
    for path in ["/s3/multipart", "//s3/multipart", "/t/open-sesam/s3/multipart", "/t/%0A/s3/multipart"] {
        let reply = talk.say(format!("POST {path}\n\n{body}")).await;
        assert!(reply.starts_with("401") && !reply.contains("sesam"), "{path}: {reply}");
    }
    for path in ["/t/open-sesame/s3/multipart/x?key=", "/t/open-sesame/s3/nothing", "/t/open-sesame"] {
        let reply = talk.say(format!("GET {path}")).await;
        assert!(reply.starts_with("404") && !reply.contains("sesame"), "{path}: {reply}");
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("/t/{token}/s3/multipart") && !logged.contains("sesame"), "{logged}");
}

#[tokio::test]
async fn a_page_learns_which_headers_it_may_send() {
    let talk = talk();
    let asked = talk.ask(b"OPTIONS /s3/multipart\nOrigin: http://localhost:5173").await;
    let header = |name: &str| asked.headers()[name].to_str().unwrap();
    assert!(
        header("access-control-allow-headers").contains("authorization"),
        "Uppy up to 3.6 sends no other"
    );
    assert_eq!(header("access-control-expose-headers"), "access-control-allow-headers");
    let stranger = talk.ask(b"OPTIONS /s3/multipart\nOrigin: https://evil.test").await;
    assert!(!stranger.headers().contains_key("access-control-allow-headers"));
    let preflight = "OPTIONS /s3/multipart\nOrigin: http://localhost\nAccess-Control-Request-Method: OPTIONS\n\
                     Access-Control-Request-Headers: x-mine";
    let reply = talk.say(preflight).await;
    assert!(reply.contains("access-control-allow-headers: x-mine\n"), "{reply}");
    assert!(reply.contains("PATCH,DELETE,OPTIONS\n"), "{reply}");
}
