//! The downloads door's transcripts.

use axum::http::HeaderValue;
use insta::assert_snapshot;
use towline_doors::DoorSettings;

use crate::talk::Talk;

async fn with_file() -> Talk {
    let talk = Talk::default();
    let init = r#"{"filename":"a b/ü.txt","file_size":10,"content_type":"text/plain","hash_algorithm":"SHA1","file_hash":"87acec17cd9dcd20a716cc2cf67417b71c8a7016"}"#;
    talk.upload(init, "0123456789").await;
    talk
}

const GET: &str = "GET /download/a%20b/%C3%BC.txt";

#[tokio::test]
async fn a_finished_file_is_given_whole_with_its_digests() {
    let talk = with_file().await;
    let whole = talk.say(GET).await;
    assert_snapshot!(whole, @r#"
    200 OK
    accept-ranges: bytes
    content-disposition: attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt
    content-security-policy: default-src 'none'; sandbox
    content-type: text/plain
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    repr-digest: sha=:h6zsF82dzSCnFsws9nQXtxyKcBY=:
    x-amz-checksum-crc64nvme: Ffmx7kz9nB0=
    x-content-type-options: nosniff

    0123456789
    "#);
    assert_eq!(whole, talk.say(GET.replace("GET", "HEAD")).await + "0123456789");
}

#[tokio::test]
async fn ranges_are_given_one_or_several() {
    let talk = with_file().await;
    assert_snapshot!(talk.say(format!("{GET}\nRange: bytes=2-4")).await, @r#"
    206 Partial Content
    accept-ranges: bytes
    content-disposition: attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt
    content-range: bytes 2-4/10
    content-security-policy: default-src 'none'; sandbox
    content-type: text/plain
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    repr-digest: sha=:h6zsF82dzSCnFsws9nQXtxyKcBY=:
    x-content-type-options: nosniff

    234
    "#);
    let several = talk.say(format!("{GET}\nRange: bytes=0-1,-2")).await;
    let boundary = several.split("boundary=").nth(1).unwrap().lines().next().unwrap();
    assert_snapshot!(several.replace(boundary, "BOUNDARY").replace('\r', ""), @r#"
    206 Partial Content
    accept-ranges: bytes
    content-disposition: attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt
    content-security-policy: default-src 'none'; sandbox
    content-type: multipart/byteranges; boundary=BOUNDARY
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    repr-digest: sha=:h6zsF82dzSCnFsws9nQXtxyKcBY=:
    x-content-type-options: nosniff


    --BOUNDARY
    Content-Type: text/plain
    Content-Range: bytes 0-1/10

    01
    --BOUNDARY
    Content-Type: text/plain
    Content-Range: bytes 8-9/10

    89
    --BOUNDARY--
    "#);
    assert_snapshot!(talk.say(format!("{GET}\nRange: bytes=10-")).await, @r#"
    416 Range Not Satisfiable
    content-range: bytes */10
    content-type: application/problem+json

    {"type":"/api/errors#range","title":"The range lies outside the file","status":416,"detail":"No asked-for range lies within the 10 bytes of the file","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn a_length_is_that_of_the_body_for_every_kind_of_reply() {
    use http_body_util::BodyExt as _;
    let talk = with_file().await;
    for range in ["", "\nRange: bytes=2-4", "\nRange: bytes=0-1,-2", "\nRange: bytes=0-0,2-2,4-4"] {
        let reply = talk.ask(format!("{GET}{range}").as_bytes()).await;
        let declared: usize = reply.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), declared, "{range:?}");
    }
}

#[tokio::test]
async fn conditions_are_kept() {
    let talk = with_file().await;
    let whole = talk.say(GET).await;
    let etag = whole.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    assert_snapshot!(talk.say(format!("{GET}\nIf-None-Match: {etag}")).await, @r#"
    304 Not Modified
    accept-ranges: bytes
    content-disposition: attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt
    content-security-policy: default-src 'none'; sandbox
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    repr-digest: sha=:h6zsF82dzSCnFsws9nQXtxyKcBY=:
    x-content-type-options: nosniff
    "#);
    assert_snapshot!(talk.say(format!("{GET}\nIf-Match: \"other\"")).await, @r#"
    412 Precondition Failed
    content-type: application/problem+json

    {"type":"/api/errors#precondition","title":"A condition does not hold","status":412,"detail":"The file is not the one that the request's conditions ask for","request_id":"r1"}
    "#);
    let resumed = talk.say(format!("{GET}\nRange: bytes=5-\nIf-Range: {etag}")).await;
    assert!(resumed.starts_with("206") && resumed.ends_with("\n56789"), "{resumed}");
    let restarted = talk.say(format!("{GET}\nRange: bytes=5-\nIf-Range: \"other\"")).await;
    assert!(restarted.starts_with("200") && restarted.ends_with("\n0123456789"), "{restarted}");
}

#[tokio::test]
async fn caches_are_told_what_the_settings_say() {
    let download_cache = HeaderValue::from_static("public, max-age=60");
    let open = Talk::with(DoorSettings { download_cache, ..DoorSettings::default() });
    for (talk, expected) in [(Talk::default(), "private, no-cache"), (open, "public, max-age=60")] {
        talk.upload(r#"{"filename":"a","file_size":1}"#, "a").await;
        let reply = talk.ask(b"GET /download/a").await;
        assert_eq!(reply.headers()["cache-control"], expected);
    }
}

#[tokio::test]
async fn a_page_that_was_uploaded_cannot_run_on_our_origin() {
    let talk = Talk::default();
    let init = r#"{"filename":"x\".html","file_size":4,"content_type":"text/html"}"#;
    talk.upload(init, "<b/>").await;
    assert_snapshot!(talk.say("GET /download/x%22.html").await, @r#"
    200 OK
    accept-ranges: bytes
    content-disposition: attachment; filename="x_.html"; filename*=UTF-8''x%22.html
    content-security-policy: default-src 'none'; sandbox
    content-type: text/html
    etag: "v2"
    last-modified: Sat, 21 Nov 2026 00:00:00 GMT
    x-amz-checksum-crc64nvme: NIArz033M0U=
    x-content-type-options: nosniff

    <b/>
    "#);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_no_key_refused() {
    let talk = with_file().await;
    assert_snapshot!(talk.say("GET /download/none").await, @r#"
    404 Not Found
    content-type: application/problem+json

    {"type":"/api/errors#file-not-found","title":"No such file","status":404,"detail":"There is no file \"none\"","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("GET /download/a/%2e%2e/b").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"key: it has a '..' segment, which could escape its folder","field":"key","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("GET /download/a%2520b/%C3%BC.txt").await, @r#"
    404 Not Found
    content-type: application/problem+json

    {"type":"/api/errors#file-not-found","title":"No such file","status":404,"detail":"There is no file \"a%20b/ü.txt\"","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn a_file_without_bytes_has_no_ranges() {
    let talk = Talk::default();
    talk.say("POST /upload/init\n\n{\"filename\":\"empty\",\"file_size\":0}").await;
    talk.say(format!("POST /upload/{}/complete", crate::talk::FIRST)).await;
    let whole = talk.say("GET /download/empty").await;
    assert!(whole.starts_with("200 OK"), "{whole}");
    let none = talk.say("GET /download/empty\nRange: bytes=0-").await;
    assert!(none.starts_with("416"), "{none}");
}
