//! Files whose size nobody knows when they begin.

use insta::assert_snapshot;

use crate::talk::{FIRST, Talk};

const INIT: &str = "POST /upload/init\n\n{\"filename\":\"a.bin\",\"size_unknown\":true,\"chunk_size\":4,\"fingerprint\":\"f\"}";

fn declare(file_size: u64) -> String {
    format!("POST /upload/{FIRST}/size\n\n{{\"file_size\":{file_size}}}")
}

#[tokio::test]
async fn a_stream_begins_without_a_size_and_says_it_before_its_last_part() {
    let talk = Talk::default();
    assert_snapshot!(talk.say(INIT).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":null,"key":"a.bin","part_bytes":4,"status":"in_progress","completed_parts":[],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":false}
    "#);
    assert_snapshot!(talk.put(2, "4567").await, @r#"
    200 OK
    content-type: application/json

    {"part_number":2,"received":true,"size":4,"crc64nvme":"2d06254304182a60","progress":{"received_parts":1,"received_bytes":4,"contiguous_bytes":0,"percent":0.0}}
    "#);
    talk.put(1, "0123").await;
    assert_snapshot!(talk.put(3, "89").await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#part-size","title":"The part has the wrong size","status":400,"detail":"Part 3 has 2 bytes, exactly 4 are expected","request_id":"r1"}
    "#);
    assert_snapshot!(talk.say(format!("POST /upload/{FIRST}/complete")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#total-unknown","title":"The size is not known yet","status":400,"detail":"The total size has not been declared yet","request_id":"r1"}
    "#);
    let declared = talk.say(declare(10)).await;
    assert_snapshot!(declared, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","file_size":10,"total_parts":3,"progress":{"received_parts":2,"received_bytes":8,"contiguous_bytes":8,"percent":66.66}}
    "#);
    assert_eq!(talk.say(declare(10)).await, declared, "a repeat is answered alike");
    assert_snapshot!(talk.say(declare(11)).await, @r#"
    409 Conflict
    content-type: application/problem+json

    {"type":"/api/errors#total-conflict","title":"The size was declared otherwise","status":409,"detail":"The total size was declared as 10 bytes, it cannot become 11","request_id":"r1"}
    "#);
    talk.put(3, "89").await;
    let completed = talk.say(format!("POST /upload/{FIRST}/complete")).await;
    assert!(completed.starts_with("200 OK"), "{completed}");
    assert_eq!(talk.house.store.object("a.bin").unwrap(), "0123456789");
    assert_snapshot!(talk.say(declare(10)).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#not-open","title":"The upload is not in progress","status":400,"detail":"Upload session is completed","request_id":"r1"}
    "#);
}

#[tokio::test]
async fn less_than_has_landed_and_what_does_not_fit_are_refused() {
    let talk = Talk::default();
    talk.say(INIT).await;
    talk.put(2, "4567").await;
    for file_size in [0, 4, 7] {
        let reply = talk.say(declare(file_size)).await;
        assert!(reply.starts_with("409") && reply.contains("#total-conflict"), "{file_size}: {reply}");
    }
    let reply = talk.say(declare(4 * 10_000 + 1)).await;
    assert!(reply.starts_with("413") && reply.contains("40000 are allowed"), "{reply}");
    assert_snapshot!(talk.say(format!("POST /upload/{FIRST}/size\n\n{{}}")).await, @r#"
    400 Bad Request
    content-type: application/problem+json

    {"type":"/api/errors#bad-field","title":"A field is missing or wrong","status":400,"detail":"file_size: is missing","field":"file_size","request_id":"r1"}
    "#);
    let reply = talk.say(declare(8)).await;
    assert!(reply.starts_with("200 OK"), "{reply}");
}

#[tokio::test]
async fn a_stream_of_no_bytes_or_of_full_parts_only_is_a_file() {
    let talk = Talk::default();
    talk.say(INIT).await;
    assert_snapshot!(talk.say(declare(0)).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","file_size":0,"total_parts":0,"progress":{"received_parts":0,"received_bytes":0,"contiguous_bytes":0,"percent":100.0}}
    "#);
    let completed = talk.say(format!("POST /upload/{FIRST}/complete")).await;
    assert!(completed.starts_with("200 OK"), "{completed}");
    assert_eq!(talk.house.store.object("a.bin").unwrap(), "");

    let talk = Talk::default();
    talk.say(INIT).await;
    talk.put(1, "0123").await;
    talk.say(declare(4)).await;
    let completed = talk.say(format!("POST /upload/{FIRST}/complete")).await;
    assert!(completed.starts_with("200 OK"), "{completed}");
}

#[tokio::test]
async fn a_stream_is_found_again_before_and_after_its_size_is_known() {
    let talk = Talk::default();
    talk.say(INIT).await;
    talk.put(1, "0123").await;
    let known = "POST /upload/init\n\n{\"filename\":\"a.bin\",\"file_size\":6,\"chunk_size\":4,\"fingerprint\":\"f\"}";
    assert_snapshot!(talk.say(INIT).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":null,"key":"a.bin","part_bytes":4,"status":"in_progress","completed_parts":[1],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":true}
    "#);
    talk.say(declare(6)).await;
    assert_snapshot!(talk.say(INIT).await, @r#"
    200 OK
    content-type: application/json

    {"session_id":"00000000-0000-4000-8000-000000000001","total_parts":2,"key":"a.bin","part_bytes":4,"status":"in_progress","completed_parts":[1],"expires_at":"2026-11-28T00:00:00.000Z","mode":"relayed","resumed":true}
    "#);
    assert!(talk.say(known).await.contains("\"resumed\":true"));
    let other = talk.say(known.replace("\"file_size\":6", "\"file_size\":7")).await;
    assert!(other.contains("\"resumed\":false"), "{other}");
}

#[tokio::test]
async fn a_repeated_begin_of_a_stream_stays_the_same_one() {
    let talk = Talk::default();
    let init = "POST /upload/init\nIdempotency-Key: once\n\n{\"filename\":\"a.bin\",\"size_unknown\":true,\"chunk_size\":4}";
    talk.say(init).await;
    talk.say(declare(6)).await;
    let again = talk.say(init).await;
    assert!(again.contains(FIRST) && again.contains("\"resumed\":true"), "{again}");
}
