//! What all doors share.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use insta::assert_snapshot;
use serde_json::Value;
use towline_doors::{DoorKind, DoorSettings, Refused};

use crate::talk::{FIRST, Talk};

#[tokio::test]
async fn the_server_says_how_it_is() {
    let talk = Talk::default();
    assert_snapshot!(talk.say("GET /health").await, @r#"
    200 OK
    content-type: application/json

    {"status":"healthy"}
    "#);
    assert_snapshot!(talk.say("GET /ready").await, @r#"
    200 OK
    content-type: application/json

    {"status":"ready"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn whether_it_is_ready_is_found_out_once_a_second() {
    let talk = Talk::default();
    let status = async || talk.ask(b"GET /ready").await.status().as_u16();
    talk.house.store.set_full(true);
    assert_eq!(status().await, 507);
    talk.house.store.set_full(false);
    assert_eq!(status().await, 507);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(status().await, 200);
    talk.house.store.set_full(true);
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_done_is_said() {
    let talk = Talk::default();
    assert_snapshot!(talk.say("GET /nothing").await, @r#"
    404 Not Found
    content-type: application/problem+json

    {"type":"/api/errors#no-route","title":"Nothing is here","status":404,"detail":"There is nothing here: see /api/docs for what there is","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("PATCH /upload/init").await, @r#"
    405 Method Not Allowed
    allow: POST
    content-type: application/problem+json

    {"type":"/api/errors#wrong-method","title":"The method is not known here","status":405,"detail":"This method is not known here: see the header Allow","request_id":"r1"}
    "#);
    let long = talk.say(format!("GET /{}", "x".repeat(9000))).await;
    assert!(long.starts_with("414"), "{long}");
    let large = format!("POST /upload/init\n\n{}", " ".repeat(1_048_577));
    assert!(talk.say(large).await.starts_with("413"));
}

#[tokio::test]
async fn a_door_that_is_closed_is_not_there() {
    let talk = Talk::with(DoorSettings { doors: vec![DoorKind::Session], ..DoorSettings::default() });
    assert!(talk.say("GET /download/a").await.starts_with("404"));
    assert!(talk.say("GET /sessions").await.starts_with("200"));
}

#[tokio::test]
async fn what_the_binary_brings_passes_the_same_entrance() {
    let own = get(async || Err::<(), _>(Refused::Unauthenticated));
    let talk = Talk::with_own(DoorSettings::default(), Router::new().route("/own", own));
    assert_snapshot!(talk.say("GET /own\nOrigin: http://localhost").await, @r#"
    401 Unauthorized
    access-control-allow-origin: http://localhost
    content-type: application/problem+json
    www-authenticate: Bearer realm="towline"

    {"type":"/api/errors#unauthenticated","title":"A valid token is needed","status":401,"detail":"A token is needed: send it as 'Authorization: Bearer …'","request_id":"r1"}
    "#);
    let wrong = talk.say("POST /own").await;
    assert!(wrong.starts_with("405") && wrong.contains("/api/errors#wrong-method"), "{wrong}");
    assert_eq!(talk.ask(b"GET /own").await.headers()["x-request-id"], "r1");
}

#[tokio::test]
async fn every_reply_has_a_request_id() {
    let talk = Talk::default();
    for request in [
        "GET /health\nX-Request-Id: mine",
        "GET /nothing\nX-Request-Id: mine",
        "OPTIONS /upload/init\nX-Request-Id: mine\nOrigin: http://localhost\nAccess-Control-Request-Method: POST",
    ] {
        let reply = talk.ask(request.as_bytes()).await;
        assert_eq!(reply.headers()["x-request-id"], "mine", "{request}");
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call_and_read_refusals() {
    let talk = Talk::default();
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /upload/{FIRST}/part/1\nOrigin: {origin}\nAccess-Control-Request-Method: PUT\n\
             Access-Control-Request-Headers: x-part-hash,authorization"
        )
    };
    assert_snapshot!(talk.say(preflight("http://localhost:5173")).await, @r"
    200 OK
    access-control-allow-headers: x-part-hash,authorization
    access-control-allow-methods: GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS
    access-control-allow-origin: http://localhost:5173
    access-control-max-age: 3600
    allow: PUT
    ");
    assert!(!talk.say(preflight("https://evil.test")).await.contains("access-control-allow-origin"));
    let refused =
        talk.ask(format!("GET /upload/{FIRST}/status\nOrigin: http://127.0.0.1:3000").as_bytes()).await;
    assert_eq!(refused.status(), 404);
    assert_eq!(refused.headers()["access-control-allow-origin"], "http://127.0.0.1:3000");
    let exposed = refused.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("etag") && exposed.contains("x-request-id"), "{exposed}");
}

#[tokio::test]
async fn the_document_describes_what_is_served() {
    let talk = Talk::default();
    let reply = talk.say("GET /api/openapi.json").await;
    let document: Value = serde_json::from_str(reply.split("\n\n").nth(1).unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.push(format!("{method} {path}"));
            let refusal = &operation["responses"]["500"]["content"];
            let is_described = ["application/problem+json", "application/json"]
                .map(|kind| refusal[kind]["schema"]["$ref"].is_string());
            assert_ne!(is_described, [false, false], "{method} {path}");
        }
    }
    assert_snapshot!(described.join("\n"), @r"
    post /abort-multipart-upload
    post /api/multipart/create
    post /api/multipart/{upload_id}/abort
    post /api/multipart/{upload_id}/complete
    post /api/multipart/{upload_id}/presign
    post /api/multipart/{upload_id}/register-part
    get /api/multipart/{upload_id}/status
    post /api/upload
    post /api/upload/backend
    post /api/upload/simple
    post /complete-multipart-upload
    get /download/{key}
    head /download/{key}
    post /get-presigned-url
    get /health
    post /invoke
    post /list-parts
    get /ready
    post /s3/multipart
    delete /s3/multipart/{upload_id}
    get /s3/multipart/{upload_id}
    get /s3/multipart/{upload_id}/batch
    post /s3/multipart/{upload_id}/complete
    get /s3/multipart/{upload_id}/{part_number}
    get /s3/params
    get /s3/sts
    get /sessions
    post /start-multipart-upload
    get /upload-backend/chunk_loaded
    get /upload-backend/signing_key
    post /upload/init
    delete /upload/{session_id}
    post /upload/{session_id}/complete
    get /upload/{session_id}/events
    put /upload/{session_id}/part/{part_number}
    get /upload/{session_id}/parts
    post /upload/{session_id}/parts
    post /upload/{session_id}/size
    get /upload/{session_id}/status
    post /upload/{session_id}/urls
    get /uploads/download/{key}
    delete /uploads/multipart/abort
    post /uploads/multipart/complete
    post /uploads/multipart/init
    post /uploads/multipart/part-url
    get /uploads/multipart/parts
    post /uploads/multipart/parts/list
    post /uploads/url
    ");
}

#[tokio::test]
async fn the_pages_work_offline() {
    let talk = Talk::default();
    let docs = talk.say("GET /api/docs").await;
    assert!(docs.starts_with("200 OK") && docs.contains("content-security-policy: default-src 'none'"));
    assert!(!docs.contains("http://") && !docs.contains("https://"), "no foreign address");
    for path in ["docs.js", "docs.css"] {
        assert!(talk.say(format!("GET /api/{path}")).await.starts_with("200 OK"), "{path}");
    }
    let errors = talk.say("GET /api/errors").await;
    assert!(errors.contains("<h2 id=\"missing-parts\">"), "{errors}");
}
