//! The session door's transcripts.

mod size;

use std::time::Duration;

use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use towline_core::policy::{Operation, Principal};
use towline_core::testing::store_contract::content;
use towline_doors::{Authenticator, DoorSettings, Token};

use crate::talk::{FIRST, Talk};

#[tokio::test]
async fn the_documents_flow_goes_through() {
    let talk = Talk::default();
    let init = r#"{"filename": "video.mp4", "file_size": 10, "chunk_size": 4}"#;
    assert_snapshot!(talk.say(format!("POST /upload/init\n\n{init}")).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":3,"key":"video.mp4","part_bytes":4,"status":"in_progress","completed_parts":[],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":false}
    "#);
    assert_snapshot!(talk.put(1, "0123").await, @r#"
    200 OK
    content-type: application/json

    {"part_number":1,"received":true,"size":4,"crc64nvme":"512866bf69f33a16","progress":{"received_parts":1,"received_bytes":4,"contiguous_bytes":4,"percent":33.33}}
    "#);
    assert_snapshot!(talk.put(3, "89").await, @r#"
    200 OK
    content-type: application/json

    {"part_number":3,"received":true,"size":2,"crc64nvme":"2106f4325fb4ab3d","progress":{"received_parts":2,"received_bytes":6,"contiguous_bytes":4,"percent":66.66}}
    "#);
    assert_snapshot!(talk.say(format!("GET /upload/{FIRST}/status")).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","filename":"video.mp4","total_parts":3,"completed_parts":[1,3],"status":"in_progress","progress_percent":66.66,"key":"video.mp4","file_size":10,"part_bytes":4,"received_bytes":6,"mode":"relayed","created_at":"2026-11-21T00:00:00.000Z","expires_at":"2026-11-28T00:00:00.000Z","receipt":null}
    "#);
    assert_snapshot!(talk.say(format!("POST /upload/{FIRST}/complete")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#missing-parts","title":"Parts are missing","status":400,"detail":"Missing parts: [2]","request_id":"r1"}
    "#);
    talk.put(2, "4567").await;
    let complete = format!("POST /upload/{FIRST}/complete");
    let completed = talk.say(&complete).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","status":"completed","file_path":"memory:video.mp4","message":"Upload completed successfully","receipt":{"key":"video.mp4","size_bytes":10,"part_count":3,"crc64nvme":"15f9b1ee4cfd9c1d","vouched_by":"towline","verified":null,"location":"memory:video.mp4","sealed_at":"2026-11-21T00:00:00.000Z"}}
    "#);
    assert_eq!(talk.say(&complete).await, completed, "a repeat is answered alike");
    assert_eq!(talk.house.store.object("video.mp4").unwrap(), "0123456789");
    assert_snapshot!(talk.say(format!("GET /upload/{FIRST}/status")).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","filename":"video.mp4","total_parts":3,"completed_parts":[1,2,3],"status":"completed","progress_percent":100.0,"key":"video.mp4","file_size":10,"part_bytes":4,"received_bytes":10,"mode":"relayed","created_at":"2026-11-21T00:00:00.000Z","expires_at":null,"receipt":{"key":"video.mp4","size_bytes":10,"part_count":3,"crc64nvme":"15f9b1ee4cfd9c1d","vouched_by":"towline","verified":null,"location":"memory:video.mp4","sealed_at":"2026-11-21T00:00:00.000Z"}}
    "#);
    assert_snapshot!(talk.put(1, "0123").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#not-open","title":"The upload is not in progress","status":400,"detail":"Upload session is completed","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn the_documents_client_sends_forms_and_an_md5() {
    let talk = Talk::default();
    talk.begin(4).await;
    let form = |md5: &str| {
        format!(
            "PUT /upload/{FIRST}/part/1\nX-Part-Hash: {md5}\nContent-Type: multipart/form-data; boundary=b\n\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"part_1\"\r\n\r\n0123\r\n--b--\r\n"
        )
    };
    assert_snapshot!(talk.say(form("00000000000000000000000000000000")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-digest","title":"The part is damaged","status":400,"detail":"Checksum mismatch for part 1: md5 00000000000000000000000000000000 was declared, md5 eb62f6b9306db575c2d596b1279627a4 arrived","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(form("eb62f6b9306db575c2d596b1279627a4")).await, @r#"
    200 OK
    content-type: application/json

    {"part_number":1,"received":true,"size":4,"checksum":"eb62f6b9306db575c2d596b1279627a4","crc64nvme":"512866bf69f33a16","progress":{"received_parts":1,"received_bytes":4,"contiguous_bytes":4,"percent":100.0}}
    "#);
}

#[tokio::test]
async fn a_part_that_comes_twice_is_answered_twice_alike() {
    let talk = Talk::default();
    talk.begin(8).await;
    let first = talk.put(1, "0123").await;
    assert_eq!(talk.put(1, "0123").await, first);
}

#[tokio::test]
async fn a_part_of_the_wrong_size_or_number_is_refused() {
    let talk = Talk::default();
    talk.begin(6).await;
    assert_snapshot!(talk.put(1, "012").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-size","title":"The part has the wrong size","status":400,"detail":"Part 1 has 3 bytes, exactly 4 are expected","request_id":"r1"}
    "#);
    assert_snapshot!(talk.put(2, "012").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-size","title":"The part has the wrong size","status":400,"detail":"Part 2 has 3 bytes, exactly 2 are expected","request_id":"r1"}
    "#);
    assert_snapshot!(talk.put(3, "0").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-out-of-range","title":"There is no such part","status":400,"detail":"Part number 3 is not between 1 and 2","request_id":"r1"}
    "#);
    assert_snapshot!(talk.put(0, "0").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-out-of-range","title":"There is no such part","status":400,"detail":"Part number 0 is not between 1 and 2","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(format!("PUT /upload/{FIRST}/part/one\n\n0123")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"part_number: \"one\" is not a whole number","field":"part_number","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(format!("PUT /upload/{FIRST}/part/1\nContent-MD5: nonsense\n\n0123")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"Content-MD5: is not base64 of an MD5","field":"Content-MD5","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(format!("PUT /upload/{FIRST}/part/1\nContent-Encoding: gzip\n\n0123")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"Content-Encoding: is not undone here: send the bytes as they are","field":"Content-Encoding","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn every_wrong_field_of_init_is_named() {
    let talk = Talk::default();
    let cases = [
        ("{}", "filename: is missing"),
        (r#"{"filename":"a","file_size":-1}"#, "file_size: must be a whole number, not negative"),
        (r#"{"filename":"a","file_size":1.5}"#, "file_size: must be a whole number"),
        (r#"{"filename":1,"file_size":1}"#, "filename: must be text"),
        (r#"{"filename":"a"}"#, "file_size: is missing"),
        (r#"{"filename":"a","file_size":null}"#, "file_size: is missing"),
        (
            r#"{"filename":"a","file_size":1,"size_unknown":true}"#,
            "size_unknown: is said together with 'file_size'",
        ),
        (r#"{"filename":"","file_size":1}"#, "filename: it is empty"),
        (r#"{"filename":"../a","file_size":1}"#, "filename: it has a '..' segment"),
        (r#"{"filename":"a\u0000","file_size":1}"#, "filename: it holds the control"),
        (r#"{"filename":"a","key":"/b","file_size":1}"#, "key: it starts with '/'"),
        (r#"{"filename":"a","file_size":1,"chunk_size":0}"#, "chunk_size: is 0"),
        (r#"{"filename":"a","file_size":1,"file_hash":"00"}"#, "file_hash: is not the 64"),
        (r#"{"filename":"a","file_size":1,"hash_algorithm":"MD4"}"#, "hash_algorithm: is not one"),
        (r#"{"filename":"a","file_size":1,"fingerprint":""}"#, "fingerprint: is empty"),
        (r#"{"filename":"a","file_size":1,"metadata":{"x":1}}"#, "metadata.x: must be text"),
        ("{", "body: is not JSON"),
    ];
    for (body, problem) in cases {
        let reply = talk.say(format!("POST /upload/init\n\n{body}")).await;
        assert!(reply.starts_with("400 Bad Request"), "{body}: {reply}");
        assert!(reply.contains(&format!("\"detail\":\"{problem}")), "{body}: {reply}");
    }
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn an_upload_is_found_again_by_fingerprint_and_by_idempotency_key() {
    let talk = Talk::default();
    let init = |extra: &str| {
        format!(
            "POST /upload/init\n{extra}\n\n{{\"filename\":\"a\",\"file_size\":8,\"chunk_size\":4,\"fingerprint\":\"f\"}}"
        )
    };
    talk.say(init("Idempotency-Key: \"once\"")).await;
    talk.put(2, "4567").await;
    assert_snapshot!(talk.say(init("X: y")).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":2,"key":"a","part_bytes":4,"status":"in_progress","completed_parts":[2],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":true}
    "#);
    let other = "POST /upload/init\nIdempotency-Key: once\n\n{\"filename\":\"b\",\"file_size\":8}";
    assert_snapshot!(talk.say(other).await, @r#"
    422 Unprocessable Entity
    content-type: application/problem+json

    {"type":"/api/errors#idempotency-conflict","title":"The idempotency key belongs to another file","status":422,"detail":"This idempotency key was used before for another file","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn a_declared_hash_is_checked_and_a_failed_upload_can_be_mended() {
    let talk = Talk::default();
    let init = r#"{"filename":"a","file_size":4,"file_hash":"202cb962ac59075b964b07152d234b70","hash_algorithm":"md5"}"#;
    talk.say(format!("POST /upload/init\n\n{init}")).await;
    talk.put(1, "0123").await;
    assert_snapshot!(talk.say(format!("POST /upload/{FIRST}/complete")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#whole-digest","title":"The file is not the declared one","status":400,"detail":"File integrity check failed. Hash mismatch: md5 202cb962ac59075b964b07152d234b70 was declared, md5 eb62f6b9306db575c2d596b1279627a4 arrived","request_id":"r1"}
    "#);
    let status = talk.say(format!("GET /upload/{FIRST}/status")).await;
    assert!(status.contains("\"status\":\"failed\""), "{status}");
}

#[tokio::test]
async fn a_file_that_is_not_what_its_sender_read_does_not_become_visible() {
    let talk = Talk::default();
    talk.begin(8).await;
    talk.put(1, "0123").await;
    talk.put(2, "4x67").await;
    let complete = |body: &str| talk.say(format!("POST /upload/{FIRST}/complete\n\n{body}").into_bytes());
    let wanted = r#"{"crc64nvme": "4F01BA9DEDCBEEF9", "file_size": 8}"#;
    assert_snapshot!(complete(wanted).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#whole-digest","title":"The file is not the declared one","status":400,"detail":"File integrity check failed. Hash mismatch: crc64nvme 4f01ba9dedcbeef9 was declared, crc64nvme 934755aaac55e656 arrived","request_id":"r1"}
    "#);
    assert!(talk.house.store.object("a.bin").is_none());
    talk.put(2, "4567").await;
    let completed = complete(wanted).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","status":"completed","file_path":"memory:a.bin","message":"Upload completed successfully","receipt":{"key":"a.bin","size_bytes":8,"part_count":2,"crc64nvme":"4f01ba9dedcbeef9","vouched_by":"towline","verified":null,"location":"memory:a.bin","sealed_at":"2026-11-21T00:00:00.000Z"}}
    "#);
    for again in [wanted, "{}", "", r#"{"file_size": 8}"#, r#"{"crc64nvme": null}"#] {
        assert_eq!(complete(again).await, completed, "{again}");
    }
    assert_snapshot!(complete(r#"{"crc64nvme": "0000000000000000"}"#).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#whole-digest","title":"The file is not the declared one","status":400,"detail":"File integrity check failed. Hash mismatch: crc64nvme 0000000000000000 was declared, crc64nvme 4f01ba9dedcbeef9 arrived","request_id":"r1"}
    "#);
    assert_snapshot!(complete(r#"{"file_size": 9}"#).await, @r#"
    409 Conflict
    content-type: application/problem+json

    {"type":"/api/errors#total-conflict","title":"The size was declared otherwise","status":409,"detail":"The total size was declared as 8 bytes, it cannot become 9","request_id":"r1"}
    "#);
    for (body, told) in [
        (r#"{"crc64nvme": "xyz"}"#, "crc64nvme: is not a CRC-64/NVME: 16 hexadecimal digits"),
        (r#"{"crc64nvme": 7}"#, "crc64nvme: must be text"),
        ("{", "body: is not JSON"),
    ] {
        let reply = complete(body).await;
        assert!(reply.starts_with("400") && reply.contains(told), "{body}: {reply}");
    }
}

#[tokio::test]
async fn a_file_without_bytes_needs_no_part_and_takes_none() {
    let talk = Talk::default();
    assert_snapshot!(talk.say("POST /upload/init\n\n{\"filename\":\"empty\",\"file_size\":0}").await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":0,"key":"empty","part_bytes":5242880,"status":"in_progress","completed_parts":[],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":false}
    "#);
    let part = talk.put(1, "").await;
    assert!(part.starts_with("400") && part.contains("This file is empty: it has no parts"), "{part}");
    let completed = talk.say(format!("POST /upload/{FIRST}/complete")).await;
    assert!(completed.starts_with("200 OK"), "{completed}");
    assert_eq!(talk.house.store.object("empty").unwrap(), "");
}

#[tokio::test]
async fn a_cancelled_upload_stays_cancelled() {
    let talk = Talk::default();
    talk.begin(8).await;
    talk.put(1, "0123").await;
    let cancel = format!("DELETE /upload/{FIRST}");
    assert_snapshot!(talk.say(&cancel).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","status":"cancelled"}
    "#);
    assert_eq!(talk.say(&cancel).await, talk.say(&cancel).await);
    assert_snapshot!(talk.put(2, "4567").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#not-open","title":"The upload is not in progress","status":400,"detail":"Upload session is cancelled","request_id":"r1"}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0);
}

#[tokio::test]
async fn an_unknown_session_is_not_found() {
    let talk = Talk::default();
    assert_snapshot!(talk.say(format!("GET /upload/{FIRST}/status")).await, @r#"
    404 Not Found
    content-type: application/problem+json

    {"type":"/api/errors#upload-not-found","title":"No such upload","status":404,"detail":"Upload session not found: 00000000-0000-4000-8000-000000000001","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("GET /upload/nonsense/status").await, @r#"
    404 Not Found
    content-type: application/problem+json

    {"type":"/api/errors#upload-not-found","title":"No such upload","status":404,"detail":"Upload session not found: \"nonsense\" is no session id","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("GET /upload/%FF/status").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"path: is not UTF-8","field":"path","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn uploads_are_listed_newest_first_in_pages() {
    let talk = Talk::default();
    for _ in 0..3 {
        talk.begin(8).await;
        talk.house.clock.advance(Duration::from_secs(1));
    }
    talk.put(1, "0123").await;
    let page = talk.say("GET /sessions?status=in_progress&limit=2").await;
    assert_snapshot!(page, @r#"
    200 OK
    content-type: application/json

    {"total":3,"sessions":[{"session_id":"00000000-0000-4000-8000-000000000003","filename":"a.bin","status":"in_progress","progress":"0/2","created_at":"2026-11-21T00:00:02.000Z","key":"a.bin","file_size":8},{"session_id":"00000000-0000-4000-8000-000000000002","filename":"a.bin","status":"in_progress","progress":"0/2","created_at":"2026-11-21T00:00:01.000Z","key":"a.bin","file_size":8}],"next":"1795219201000.00000000-0000-4000-8000-000000000002"}
    "#);
    let next = page.split("\"next\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert_snapshot!(talk.say(format!("GET /sessions?limit=2&after={next}")).await, @r#"
    200 OK
    content-type: application/json

    {"total":3,"sessions":[{"session_id":"00000000-0000-4000-8000-000000000001","filename":"a.bin","status":"in_progress","progress":"1/2","created_at":"2026-11-21T00:00:00.000Z","key":"a.bin","file_size":8}],"next":null}
    "#);
    assert_snapshot!(talk.say("GET /sessions?status=done").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"status: is not one of in_progress, completed, failed, cancelled, expired","field":"status","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say("GET /sessions?limit=0").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"limit: is not a number from 1 to 1000","field":"limit","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn landed_parts_are_paged_with_their_digests() {
    let talk = Talk::default();
    talk.begin(12).await;
    for (number, bytes) in [(3, "89ab"), (1, "0123")] {
        talk.put(number, bytes).await;
    }
    assert_snapshot!(talk.say(format!("GET /upload/{FIRST}/parts?limit=1")).await, @r#"
    200 OK
    content-type: application/json

    {"parts":[{"part_number":1,"size":4,"crc64nvme":"512866bf69f33a16","etag":"512866bf69f33a160000000000000004","landed_at":"2026-11-21T00:00:00.000Z"}],"next":1}
    "#);
    assert_snapshot!(talk.say(format!("GET /upload/{FIRST}/parts?after=1")).await, @r#"
    200 OK
    content-type: application/json

    {"parts":[{"part_number":3,"size":4,"crc64nvme":"a7d4325efaa0dabe","etag":"a7d4325efaa0dabe0000000000000004","landed_at":"2026-11-21T00:00:00.000Z"}],"next":null}
    "#);
}

#[tokio::test]
async fn each_part_has_a_url_and_none_is_registered_while_relayed() {
    let settings =
        DoorSettings { public_url: Some("https://up.example".to_owned()), ..DoorSettings::default() };
    let talk = Talk::with(settings);
    talk.begin(10).await;
    let urls = |body: &str| format!("POST /upload/{FIRST}/urls\n\n{body}");
    assert_snapshot!(talk.say(urls(r#"{"from":2,"to":3}"#)).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","mode":"relayed","urls":[{"part_number":2,"url":"https://up.example/upload/00000000-0000-4000-8000-000000000001/part/2","size":4},{"part_number":3,"url":"https://up.example/upload/00000000-0000-4000-8000-000000000001/part/3","size":2}]}
    "#);
    assert_snapshot!(talk.say(urls(r#"{"parts":[4]}"#)).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-out-of-range","title":"There is no such part","status":400,"detail":"Part number 4 is not between 1 and 3","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(urls(r#"{"from":3,"to":2}"#)).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"to: is before 'from', which is 3","field":"to","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(urls(r#"{"from":0,"to":18446744073709551615}"#)).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"to: asks for 18446744073709551615 parts, 10000 are given at once","field":"to","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(urls("{}")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"parts: is missing: give 'parts', or 'from' and 'to'","field":"parts","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(format!("POST /upload/{FIRST}/parts\n\n{{\"parts\":[]}}")).await, @r#"
    409 Conflict
    content-type: application/problem+json

    {"type":"/api/errors#not-direct","title":"The upload is relayed","status":409,"detail":"The bytes of this upload go through this server: PUT each part to its URL instead of registering it","request_id":"r1"}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_told_the_state_then_each_change_then_the_end() {
    let talk = Talk::default();
    talk.begin(4).await;
    let request = format!("GET /upload/{FIRST}/events");
    let mut events = talk.ask(request.as_bytes()).await.into_body();
    let mut next = async || {
        let frame = events.frame().await?.expect("events do not break off");
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    };
    assert_snapshot!(next().await.unwrap(), @r#"
    event: progress
    data: {"session_id":"00000000-0000-4000-8000-000000000001","status":"in_progress","total_parts":1,"file_size":4,"progress":{"received_parts":0,"received_bytes":0,"contiguous_bytes":0,"percent":0.0}}
    "#);
    talk.put(1, "0123").await;
    assert_snapshot!(next().await.unwrap(), @r#"
    event: progress
    data: {"session_id":"00000000-0000-4000-8000-000000000001","status":"in_progress","total_parts":1,"file_size":4,"progress":{"received_parts":1,"received_bytes":4,"contiguous_bytes":4,"percent":100.0}}
    "#);
    assert_eq!(next().await.unwrap(), ": still here\n\n");
    talk.say(format!("POST /upload/{FIRST}/complete")).await;
    let mut last = next().await.unwrap();
    if last.contains("event: progress") {
        last = next().await.unwrap();
    }
    assert!(last.starts_with("event: end\n") && last.contains("\"completed\""), "{last}");
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn watchers_end_when_the_server_stops_and_are_bounded() {
    let settings = DoorSettings { watchers_max: 1, ..DoorSettings::default() };
    let talk = Talk::with(settings);
    talk.begin(4).await;
    let request = format!("GET /upload/{FIRST}/events");
    let events = talk.ask(request.as_bytes()).await.into_body();
    assert_snapshot!(talk.say(&request).await, @r#"
    503 Service Unavailable
    content-type: application/problem+json
    retry-after: 10

    {"type":"/api/errors#busy","title":"The server is busy","status":503,"detail":"The server is busy, try again in 10 s","request_id":"r1"}
    "#);
    talk.house.engine.begin_stop();
    let told = events.collect().await.unwrap().to_bytes();
    assert!(told.starts_with(b"event: progress\n"));
}

#[tokio::test]
async fn owners_see_their_own_uploads_only() {
    use sha2::{Digest as _, Sha256};
    let token = |text: &str, operations: &[Operation]| Token {
        sha256: Sha256::digest(text).into(),
        principal: Principal {
            owner: text.to_owned(),
            operations: operations.to_vec(),
            key_prefix: String::new(),
        },
    };
    let settings = DoorSettings {
        authenticator: Authenticator::Tokens(vec![
            token("ann", &[Operation::Upload]),
            token("bob", &[Operation::Upload]),
            token("eve", &[Operation::Read]),
        ]),
        ..DoorSettings::default()
    };
    let talk = Talk::with(settings);
    let init = "{\"filename\":\"a\",\"file_size\":4}";
    assert_snapshot!(talk.say(format!("POST /upload/init\n\n{init}")).await, @r#"
    401 Unauthorized
    content-type: application/problem+json
    www-authenticate: Bearer realm="towline"

    {"type":"/api/errors#unauthenticated","title":"A valid token is needed","status":401,"detail":"A token is needed: send it as 'Authorization: Bearer …'","request_id":"r1"}
    "#);
    talk.say(format!("POST /upload/init\nAuthorization: Bearer ann\n\n{init}")).await;
    let status = |name: &str| format!("GET /upload/{FIRST}/status\nAuthorization: Bearer {name}");
    assert!(talk.say(status("ann")).await.starts_with("200 OK"));
    assert!(talk.say(status("bob")).await.starts_with("404 Not Found"));
    assert!(talk.say(status("mallory")).await.starts_with("401 Unauthorized"));
    let refused = talk.say(format!("POST /upload/init\nAuthorization: Bearer eve\n\n{init}")).await;
    assert!(refused.starts_with("403 Forbidden"), "{refused}");
}

#[tokio::test]
async fn a_full_store_and_a_slash_at_the_end_are_answered_as_such() {
    let talk = Talk::default();
    talk.begin(8).await;
    talk.house.store.set_full(true);
    assert_snapshot!(talk.put(1, "0123").await, @r#"
    507 Insufficient Storage
    content-type: application/problem+json

    {"type":"/api/errors#store-full","title":"The store is full","status":507,"detail":"The store is full. Nothing that was acknowledged is lost: free some space, then go on","request_id":"r1"}
    "#);
    talk.house.store.set_full(false);
    let reply = talk.say(format!("PUT /upload/{FIRST}/part/1/\n\n0123")).await;
    assert!(reply.starts_with("200 OK"), "{reply}");
}

#[tokio::test]
async fn a_status_of_many_parts_names_them_all() {
    let talk = Talk::default();
    talk.begin(4 * 2500).await;
    let bytes = content(7, 4);
    let text = |number: u32| {
        let mut text = format!("PUT /upload/{FIRST}/part/{number}\n\n").into_bytes();
        text.extend_from_slice(&bytes);
        text
    };
    for number in (1..=2500).filter(|number| *number != 2) {
        let reply = talk.say(text(number)).await;
        assert!(reply.starts_with("200 OK"), "{reply}");
    }
    let status = talk.say(format!("GET /upload/{FIRST}/status")).await;
    let body = status.split("\n\n").nth(1).unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    let numbers = status["completed_parts"].as_array().unwrap();
    assert_eq!(numbers.len(), 2499);
    assert_eq!((&numbers[0], &numbers[1], &numbers[2498]), (&1.into(), &3.into(), &2500.into()));
}
