//! Files that are read without a signature.

use insta::assert_snapshot;
use towline_doors::{Authenticator, DoorKind, DoorSettings};

use super::{S3, code};
use crate::talk::Talk;

const NAMED: &str = "towline/a.txt\nhost: h";

#[tokio::test]
async fn where_no_token_is_asked_for_a_file_is_read_as_it_is_downloaded() {
    let s3 = S3::default();
    s3.put("a.txt", "0123456789").await;
    assert_snapshot!(s3.talk.say(format!("GET /{NAMED}\nrange: bytes=2-3")).await, @r#"
    206 Partial Content
    accept-ranges: bytes
    content-disposition: attachment; filename="a.txt"
    content-range: bytes 2-3/10
    content-security-policy: default-src 'none'; sandbox
    content-type: application/octet-stream
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    x-content-type-options: nosniff

    23
    "#);
    for head in ["", "\nif-none-match: *", "\nrange: bytes=2-3,5-6", "\norigin: http://localhost"] {
        for method in ["GET", "HEAD"] {
            let unsigned = s3.talk.ask(format!("{method} /{NAMED}{head}").as_bytes()).await;
            let download = s3.talk.ask(format!("{method} /download/a.txt{head}").as_bytes()).await;
            assert_eq!(unsigned.status(), download.status(), "{method}{head}");
            for name in ["etag", "content-length", "content-disposition", "content-security-policy"] {
                let told = |reply: &axum::http::Response<_>| reply.headers().get(name).cloned();
                assert_eq!(told(&unsigned), told(&download), "{method}{head} {name}");
            }
        }
    }
    assert!(s3.talk.say(format!("HEAD /{NAMED}")).await.ends_with("\n\n"), "heads have no body");
    assert_eq!(code(&s3.talk.say("GET /towline/b\nhost: h").await), "404 NoSuchKey");
    assert_eq!(code(&s3.talk.say("GET /towline/a//b\nhost: h").await), "404 NoSuchKey");
    assert_eq!(code(&s3.talk.say(format!("GET /{NAMED}\nif-match: \"x\"")).await), "412 PreconditionFailed");
    assert_eq!(code(&s3.talk.say(format!("GET /{NAMED}\nrange: bytes=10-")).await), "416 InvalidRange");
}

#[tokio::test]
async fn nothing_else_is_done_without_a_signature() {
    let s3 = S3::default();
    s3.put("a.txt", "0123").await;
    for request in [
        "PUT /towline/a.txt",
        "POST /towline/a.txt?uploads",
        "DELETE /towline/a.txt",
        "GET /towline/a.txt?acl",
        "GET /towline/a.txt?uploadId=1",
        "GET /towline/a.txt?response-content-type=text/html",
        "GET /towline",
        "GET /towline/",
        "GET /towline/?list-type=2",
    ] {
        assert_eq!(code(&s3.talk.say(format!("{request}\nhost: h")).await), "403 AccessDenied", "{request}");
    }
    let signed = format!("GET /{NAMED}\nauthorization: AWS4-HMAC-SHA256 Credential=x");
    assert_eq!(code(&s3.talk.say(signed).await), "400 AuthorizationHeaderMalformed", "signed, but wrongly");
    assert_eq!(s3.talk.house.store.object("a.txt").unwrap(), "0123");
}

#[tokio::test]
async fn with_tokens_or_without_downloads_nothing_is_read_so() {
    let tokens = Authenticator::Tokens(Vec::new());
    for settings in [
        DoorSettings { authenticator: tokens, ..DoorSettings::default() },
        DoorSettings { doors: vec![DoorKind::S3], ..DoorSettings::default() },
    ] {
        let s3 = S3::with(settings);
        s3.put("a.txt", "0123").await;
        assert_eq!(code(&s3.talk.say(format!("GET /{NAMED}")).await), "403 AccessDenied");
        assert_eq!(s3.talk.say(format!("HEAD /{NAMED}")).await, "403 Forbidden\n\n");
    }
}

#[tokio::test]
async fn where_clients_reach_the_store_the_file_is_read_there() {
    let talk = Talk::direct(DoorSettings::default());
    talk.upload(r#"{"filename":"a.txt","file_size":4}"#, "0123").await;
    let reply = talk.ask(format!("GET /{NAMED}").as_bytes()).await;
    assert_eq!(reply.status(), 307);
}
