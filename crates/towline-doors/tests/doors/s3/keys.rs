//! Keys that are made here: for one upload, for a while, and for the URLs of the other doors.

use std::time::Duration;

use towline_core::clock::Clock as _;
use towline_core::engine::{Cut, Order};
use towline_core::key::Key;
use towline_core::policy::{Operation, Principal};
use towline_core::upload::{About, Upload};
use towline_doors::{DoorSettings, Lent};
use towline_sigv4::Signer;

use super::{S3, ask, code, completion};

fn owner() -> Principal {
    let operations = vec![Operation::Upload, Operation::Read, Operation::Delete];
    Principal { owner: "ali".to_owned(), operations, key_prefix: String::new() }
}

async fn begun(s3: &S3, key: &str) -> Upload {
    let key = Key::parse(key).expect("a key");
    let order = Order { key, cut: Cut::Free, total_bytes: None, about: About::default() };
    s3.talk.house.engine.create(&owner(), order).await.expect("an upload").upload
}

fn of_upload(s3: &S3, upload: &Upload) -> Signer {
    Signer::new(s3.keyring.for_upload(upload.id), "us-east-1")
}

#[tokio::test]
async fn the_key_of_an_upload_sends_and_finishes_that_upload() {
    let s3 = S3::default();
    let upload = begun(&s3, "a").await;
    let (signer, id) = (of_upload(&s3, &upload), upload.id.to_string());
    let initiated = s3.say_as(&signer, ask("POST", "/towline/a").query(&[("uploads", "")])).await;
    assert!(initiated.contains(&format!("<UploadId>{id}</UploadId>")), "{initiated}");
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    assert_eq!(code(&s3.say_as(&signer, ask("PUT", "/towline/a").query(&part).body("0123")).await), "200");
    let listed = s3.say_as(&signer, ask("GET", "/towline/a").query(&[("uploadId", &id)])).await;
    assert!(listed.contains("<PartNumber>1</PartNumber>"), "{listed}");
    let body = completion(&[(1, "eb62f6b9306db575c2d596b1279627a4")]);
    let query = [("uploadId", id.as_str())];
    let complete = ask("POST", "/towline/a").query(&query).body(&body);
    assert_eq!(code(&s3.say_as(&signer, complete).await), "200");
    assert_eq!(code(&s3.say_as(&signer, complete).await), "200", "a repeat");
    assert_eq!(code(&s3.say_as(&signer, ask("HEAD", "/towline/a")).await), "200");
}

#[tokio::test]
async fn the_key_of_an_upload_does_nothing_else() {
    let s3 = S3::default();
    let (upload, other) = (begun(&s3, "a").await, begun(&s3, "a").await);
    s3.put("ab", "0123").await;
    let signer = of_upload(&s3, &upload);
    let (own, others) = (upload.id.to_string(), other.id.to_string());
    let (own, others) = ([("uploadId", own.as_str())], [("uploadId", others.as_str())]);
    for request in [
        ask("GET", "/"),
        ask("GET", "/towline"),
        ask("GET", "/towline").query(&[("uploads", "")]),
        ask("GET", "/towline/a"),
        ask("PUT", "/towline/a").body("0123"),
        ask("PUT", "/towline/a").headers(&[("x-amz-copy-source", "towline/ab")]),
        ask("DELETE", "/towline/a"),
        ask("HEAD", "/towline/ab"),
        ask("POST", "/towline/ab").query(&[("uploads", "")]),
        ask("GET", "/towline/a").query(&others),
        ask("DELETE", "/towline/a").query(&own),
        ask("GET", "/towline/ab").query(&own),
    ] {
        let reply = s3.say_as(&signer, request).await;
        assert_eq!(&reply[..3], "403", "{} {} {:?}", request.method, request.path, request.query);
    }
}

#[tokio::test]
async fn the_key_of_an_upload_ends_with_it_or_after_seven_days() {
    let s3 = S3::default();
    let upload = begun(&s3, "a").await;
    let (signer, id) = (of_upload(&s3, &upload), upload.id.to_string());
    let query = [("uploadId", id.as_str())];
    let listed = ask("GET", "/towline/a").query(&query);
    // Its client signs with the key of the day it was given out.
    let day = s3.now();
    s3.talk.house.clock.advance(Duration::from_hours(7 * 24) - Duration::from_secs(1));
    assert_eq!(code(&s3.say_as(&signer, listed).await), "200");
    s3.talk.house.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&s3.say_as(&signer, listed).await), "403 AccessDenied");
    assert_eq!(s3.now().day().days_since(day.day()), 7);

    let ended = begun(&s3, "b").await;
    s3.talk.house.engine.abandon(&owner(), ended.id).await.unwrap();
    let head = ask("HEAD", "/towline/b");
    assert!(s3.say_as(&of_upload(&s3, &ended), head).await.starts_with("403"));
    let forged = Signer::new(
        towline_sigv4::Credentials {
            access_key: s3.keyring.for_upload(upload.id).access_key,
            ..s3.keyring.for_upload(ended.id)
        },
        "us-east-1",
    );
    assert_eq!(code(&s3.say_as(&forged, listed).await), "403 SignatureDoesNotMatch");
}

#[tokio::test]
async fn lent_keys_upload_for_a_while() {
    let s3 = S3::default();
    let who = Principal { key_prefix: "mine/".to_owned(), ..owner() };
    let now = s3.talk.house.clock.now();
    let Lent { credentials, .. } = s3.keyring.lend(&who, now, Duration::from_mins(1));
    let signer = Signer::new(credentials.clone(), "us-east-1");
    let put = ask("PUT", "/towline/mine/a").body("0123");
    assert_eq!(code(&s3.say_as(&signer, put).await), "200");
    let other = ask("PUT", "/towline/other").body("0123");
    assert_eq!(code(&s3.say_as(&signer, other).await), "403 AccessDenied");
    assert_eq!(code(&s3.say_as(&signer, ask("GET", "/towline/mine/a")).await), "403 AccessDenied");
    let bare = Signer::new(towline_sigv4::Credentials { session_token: None, ..credentials }, "us-east-1");
    assert_eq!(code(&s3.say_as(&bare, put).await), "403 InvalidAccessKeyId");
    s3.talk.house.clock.advance(Duration::from_mins(1));
    assert_eq!(code(&s3.say_as(&signer, put).await), "400 ExpiredToken");
}

#[tokio::test]
async fn urls_of_the_other_doors_lead_here() {
    for public_url in [None, Some("http://up.test/behind")] {
        let public_url = public_url.map(str::to_owned);
        let s3 = S3::with(DoorSettings { public_url, ..DoorSettings::default() });
        let asked = "POST /uploads/url\nhost: up.test\n\n{\"key\": \"a b\", \"content_type\": \"a/b\"}";
        let url = s3.talk.told(asked, "url").await;
        // What a proxy takes away.
        let path = url.strip_prefix("http://up.test").unwrap();
        let path = path.strip_prefix("/behind").unwrap_or(path);
        assert!(path.starts_with("/towline/a%20b?"), "{path}");
        let put = |method: &str, path: &str, kind: &str| {
            format!("{method} {path}\nhost: up.test\ncontent-type: {kind}\n\n0123")
        };
        let wrong = s3.talk.say(put("PUT", path, "text/html")).await;
        assert_eq!(code(&wrong), "403 SignatureDoesNotMatch");
        let owner = path.replacen("X-Towline-Owner=anonymous", "X-Towline-Owner=ali", 1);
        assert_ne!(owner, path);
        assert_eq!(code(&s3.talk.say(put("PUT", &owner, "a/b")).await), "403 SignatureDoesNotMatch");
        assert_eq!(code(&s3.talk.say(put("DELETE", path, "a/b")).await), "403 SignatureDoesNotMatch");
        assert_eq!(code(&s3.talk.say(put("PUT", path, "a/b")).await), "200");
        assert_eq!(s3.talk.house.store.object("a b").unwrap(), "0123");

        let url = s3.talk.told("GET /uploads/download/a%20b\nhost: up.test", "url").await;
        let path = url.strip_prefix("http://up.test").unwrap();
        let path = path.strip_prefix("/behind").unwrap_or(path);
        let got = s3.talk.say(format!("GET {path}\nhost: up.test")).await;
        assert!(got.ends_with("\n0123"), "{got}");
    }
}
