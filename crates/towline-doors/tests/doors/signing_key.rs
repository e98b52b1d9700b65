//! The `signing_key` door's transcripts: document 001 and mule-uploader's.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use towline_core::policy::{Operation, Principal};
use towline_core::upload::UploadId;
use towline_doors::{Authenticator, DoorSettings, Keyring, Token};
use towline_sigv4::{Credentials, Moment, Origin, Secret, Signer, Target};

use crate::talk::{FIRST, Talk};

const FILE: &str = "filename=film.mp4&filesize=12&last_modified=1400000000000&content_type=video%2Fmp4";

fn talk() -> Talk {
    Talk::of_documents(DoorSettings::default())
}

async fn key(talk: &Talk, query: &str) -> Value {
    let reply = talk.say(format!("GET /upload-backend/signing_key/?{query}")).await;
    assert!(reply.starts_with("200 OK"), "{reply}");
    serde_json::from_str(reply.split("\n\n").nth(1).expect("a body")).expect("JSON")
}

/// The first line of a request that the page signs with the key that it was handed.
fn signed(handed: &Value, method: &str, query: &[(&str, &str)]) -> String {
    let id = UploadId::parse(FIRST).expect("an id");
    let credentials = Keyring::new(Secret::new("testing"), Vec::new()).for_upload(id);
    assert_eq!(handed["access_key"], credentials.access_key.as_str());
    let signer = Signer::new(credentials, handed["region"].as_str().expect("text"));
    let now = Moment::from_unix(1_795_219_200);
    assert_eq!(handed["signature"], signer.key(now.day()).to_hex().as_str());
    let origin = Origin::parse("http://up.test").expect("an origin");
    let path =
        format!("/{}/{}", handed["bucket"].as_str().expect("text"), handed["key"].as_str().expect("text"));
    let target = Target { method, origin: &origin, path: &path, query, headers: &[] };
    let url = signer.presign(&target, now, Duration::from_hours(24));
    format!("{method} {}\nHost: up.test", url.strip_prefix("http://up.test").expect("ours"))
}

/// Lands a part as the page does.
async fn land(talk: &Talk, handed: &Value, number: &str, bytes: &str) {
    let head = signed(handed, "PUT", &[("partNumber", number), ("uploadId", FIRST)]);
    let reply = talk.say(format!("{head}\n\n{bytes}")).await;
    assert!(reply.starts_with("200"), "{reply}");
}

#[tokio::test]
async fn a_page_is_handed_a_key_and_finds_its_file_again() {
    let talk = talk();
    let fresh = talk.say(format!("GET /upload-backend/signing_key/?{FILE}")).await;
    assert_snapshot!(fresh, @r#"
    200 OK
    content-type: application/json

    {"date":"2026-11-21T00:00:00.000Z","signature":"c299f2742a574f62b0fe17c20dbf11cd1c8494d52c367283ca8fe71729f42180","access_key":"TLU00000000000040008000000000000001","region":"us-east-1","bucket":"towline","backup_key":"c499b50e6dd44faf71295e39208abcff/film.mp4","content_type":"video/mp4","key":"c499b50e6dd44faf71295e39208abcff/film.mp4"}
    "#);
    assert_eq!(talk.say(format!("GET /signing_key?{FILE}")).await, fresh, "also without the prefix");
    let handed = key(&talk, FILE).await;
    let begun = talk.say(signed(&handed, "POST", &[("uploads", "")])).await;
    assert!(begun.contains(&format!("<UploadId>{FIRST}</UploadId>")), "the upload that is known: {begun}");
    land(&talk, &handed, "3", "89ab").await;
    land(&talk, &handed, "1", "0123").await;
    let loaded = format!("GET /upload-backend/chunk_loaded/?chunk=2&key=x&upload_id={FIRST}&{FILE}");
    assert_snapshot!(talk.say(loaded).await, @r"
    200 OK
    ");
    let resumed = talk.say(format!("GET /upload-backend/signing_key/?{FILE}")).await;
    assert_snapshot!(resumed, @r#"
    200 OK
    content-type: application/json

    {"date":"2026-11-21T00:00:00.000Z","signature":"c299f2742a574f62b0fe17c20dbf11cd1c8494d52c367283ca8fe71729f42180","access_key":"TLU00000000000040008000000000000001","region":"us-east-1","bucket":"towline","backup_key":"c499b50e6dd44faf71295e39208abcff/film.mp4","content_type":"video/mp4","key":"c499b50e6dd44faf71295e39208abcff/film.mp4","upload_id":"00000000-0000-4000-8000-000000000001","chunks":[0,2]}
    "#);
}

#[tokio::test]
async fn the_key_finishes_its_own_upload_and_does_nothing_else() {
    let talk = talk();
    let handed = key(&talk, FILE).await;
    land(&talk, &handed, "1", "0123456789ab").await;
    for (method, query) in [("DELETE", [].as_slice()), ("GET", &[]), ("DELETE", &[("uploadId", FIRST)])] {
        let reply = talk.say(signed(&handed, method, query)).await;
        assert!(reply.starts_with("403"), "{method} {query:?}: {reply}");
    }
    let mut other = handed.clone();
    other["key"] = "other.mp4".into();
    let reply = talk.say(signed(&other, "PUT", &[("partNumber", "1"), ("uploadId", FIRST)]) + "\n\nx").await;
    assert!(reply.starts_with("403"), "{reply}");
    let listed = talk.say(signed(&handed, "GET", &[("uploadId", FIRST)])).await;
    let tag = listed.split_once("<ETag>").unwrap().1.split_once("</ETag>").unwrap().0;
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let head = signed(&handed, "POST", &[("uploadId", FIRST)]);
    let completed = talk.say(format!("{head}\n\n{body}")).await;
    assert!(completed.starts_with("200"), "{completed}");
    assert_eq!(talk.house.store.object(handed["key"].as_str().unwrap()).unwrap(), "0123456789ab");
    assert_ne!(key(&talk, FILE).await["access_key"], handed["access_key"], "the next time is another upload");
}

#[tokio::test]
async fn another_file_and_another_time_are_another_upload() {
    let talk = talk();
    let first = key(&talk, FILE).await;
    for other in [
        "filename=film.mp4&filesize=13",
        "filename=film.mp4&filesize=12&last_modified=7",
        "filename=b.mp4&filesize=12",
    ] {
        assert_ne!(key(&talk, other).await["key"], first["key"], "{other}");
    }
}

#[tokio::test]
async fn force_forgets_what_was_there() {
    let talk = talk();
    let first = key(&talk, FILE).await;
    land(&talk, &first, "1", "0123").await;
    assert_eq!(key(&talk, &format!("{FILE}&force=false")).await["chunks"], Value::from(vec![0]));
    let again = key(&talk, &format!("{FILE}&force=true")).await;
    assert_eq!(again["chunks"], Value::Null);
    assert_ne!(again["access_key"], first["access_key"], "a key for the new upload");
    let who = Principal::anonymous();
    let old = talk.house.engine.status(&who, UploadId::parse(FIRST).unwrap()).await.unwrap();
    assert!(!old.phase.takes_parts());
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let talk = talk();
    assert_snapshot!(talk.say("GET /upload-backend/signing_key/?filesize=1").await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"bad-field","message":"filename: is missing"}
    "#);
    assert_snapshot!(talk.say("GET /upload-backend/signing_key/?filename=a&filesize=many").await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"bad-field","message":"filesize: must be a whole number, not negative"}
    "#);
}

#[tokio::test]
async fn of_a_store_that_clients_reach_only_a_restricted_key_is_handed_out() {
    let talk = Talk::direct(DoorSettings::default());
    assert_snapshot!(talk.say(format!("GET /signing_key/?{FILE}")).await, @r#"
    501 Not Implemented
    content-type: application/json

    {"error":"no-keys","message":"Clients reach the store themselves, and there is no access key for it that may be handed out: use signed URLs"}
    "#);
    let restricted_key = Some(Credentials {
        access_key: "AKIARESTRICTED".to_owned(),
        secret_key: Secret::new("restricted"),
        session_token: None,
    });
    let talk = Talk::direct(DoorSettings { restricted_key, ..DoorSettings::default() });
    let handed = talk.say(format!("GET /signing_key/?{FILE}")).await;
    assert_snapshot!(handed, @r#"
    200 OK
    content-type: application/json

    {"date":"2026-11-21T00:00:00.000Z","signature":"f4e2590911a7a10a0697d3d762116d1579b8d11ba0deb1fa1e90aafc68801fb7","access_key":"AKIARESTRICTED","region":"eu-west-1","bucket":"box","backup_key":"c499b50e6dd44faf71295e39208abcff/film.mp4","content_type":"video/mp4","key":"c499b50e6dd44faf71295e39208abcff/film.mp4","upload_id":"store-40008000000000000001","chunks":[]}
    "#);
}

#[tokio::test]
async fn only_who_may_upload_is_handed_a_key() {
    let principal = Principal { operations: vec![Operation::Read], ..Principal::anonymous() };
    let sha256 = Sha256::digest("friend").into();
    let authenticator = Authenticator::Tokens(vec![Token { sha256, principal }]);
    let talk = Talk::of_documents(DoorSettings { authenticator, ..DoorSettings::default() });
    let request = |header: &str| format!("GET /signing_key/?{FILE}\n{header}");
    assert_snapshot!(talk.say(request("Authorization: Bearer friend")).await, @r#"
    403 Forbidden
    content-type: application/json

    {"error":"forbidden","message":"Not allowed to upload here"}
    "#);
    assert!(talk.say("GET /chunk_loaded/").await.starts_with("401"));
}
