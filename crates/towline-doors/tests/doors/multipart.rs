//! The multipart door's transcripts: document 000.

use insta::assert_snapshot;
use serde_json::{Value, json};
use towline_doors::DoorSettings;

use crate::talk::{SECOND, Talk, unsigned};

const KEY: &str = "recordings/00000000000040008000000000000001/recording.webm";

fn talk() -> Talk {
    Talk::of_documents(DoorSettings::default())
}

async fn create(talk: &Talk) {
    let id = talk.told("POST /api/multipart/create/\n\n{\"filename\":\"recording.webm\"}", "id").await;
    assert_eq!(id, SECOND);
}

async fn say(talk: &Talk, act: &str, body: &Value) -> String {
    talk.say(format!("POST /api/multipart/{SECOND}/{act}/\nContent-Type: application/json\n\n{body}")).await
}

/// Sends a part as the document's page does and returns its tag without quotes.
async fn send(talk: &Talk, number: u32, bytes: &str) -> String {
    let request = format!("POST /api/multipart/{SECOND}/presign/\n\n{{\"part_number\":{number}}}");
    let url = talk.told(&request, "presigned_url").await;
    let tag = talk.put_to(&url, bytes).await.replace('"', "");
    let registered = say(talk, "register-part", &json!({"part_number": number, "etag": tag})).await;
    assert!(registered.ends_with("{\"status\":\"ok\"}"), "{registered}");
    tag
}

#[tokio::test]
async fn the_documents_flow_goes_through() {
    let talk = talk();
    let body = r#"{"filename":"recording.webm","content_type":"video/webm","size":10,"user_id":"7"}"#;
    assert_snapshot!(talk.say(format!("POST /api/multipart/create/\n\n{body}")).await, @r#"
    201 Created
    content-type: application/json

    {"id":"00000000-0000-4000-8000-000000000002","user_id":"7","filename":"recording.webm","content_type":"video/webm","size":10,"s3_key":"recordings/00000000000040008000000000000001/recording.webm","part_size":5242880,"status":"uploading","created_at":"2026-11-21T00:00:00.000Z","parts":[],"bucket":"towline","s3_upload_id":"00000000-0000-4000-8000-000000000002","key":"recordings/00000000000040008000000000000001/recording.webm","upload_id":"00000000-0000-4000-8000-000000000002"}
    "#);
    assert_snapshot!(unsigned(&say(&talk, "presign", &json!({"part_number": 1})).await), @r#"
    200 OK
    content-type: application/json

    {"presigned_url":"http://up.test/towline/recordings/00000000000040008000000000000001/recording.webm?partNumber=1&uploadId=00000000-0000-4000-8000-000000000002"}
    "#);
    let (second, first) = (send(&talk, 2, "89").await, send(&talk, 1, "01234567").await);
    assert_snapshot!(talk.say(format!("GET /api/multipart/{SECOND}/status/")).await, @r#"
    200 OK
    content-type: application/json

    {"id":"00000000-0000-4000-8000-000000000002","user_id":"7","filename":"recording.webm","content_type":"video/webm","size":10,"s3_key":"recordings/00000000000040008000000000000001/recording.webm","part_size":5242880,"status":"uploading","created_at":"2026-11-21T00:00:00.000Z","parts":[{"part_number":1,"etag":"2e9ec317e197819358fbc43afca7d837"},{"part_number":2,"etag":"7647966b7343c29048673252e490f736"}],"bucket":"towline","s3_upload_id":"00000000-0000-4000-8000-000000000002","key":"recordings/00000000000040008000000000000001/recording.webm","upload_id":"00000000-0000-4000-8000-000000000002"}
    "#);
    let parts = json!({"parts": [{"part_number": 1, "etag": first}, {"part_number": 2, "etag": second}]});
    let completed = say(&talk, "complete", &parts).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"file_url":"http://up.test/towline/recordings/00000000000040008000000000000001/recording.webm","status":"completed","key":"recordings/00000000000040008000000000000001/recording.webm","etag":"b15d066c052bb5b3b2cb6cc37a51be41-2"}
    "#);
    assert_eq!(say(&talk, "complete", &parts).await, completed, "a repeat is answered alike");
    assert_eq!(talk.house.store.object(KEY).unwrap(), "0123456789");
    let status = talk.say(format!("GET /api/multipart/{SECOND}/status")).await;
    assert!(status.contains("\"status\":\"completed\""), "{status}");
}

#[tokio::test]
async fn without_a_list_all_that_has_landed_is_taken() {
    for request in [json!({}), json!({"parts": []}), json!({"parts": null}), Value::Null] {
        let talk = talk();
        create(&talk).await;
        send(&talk, 2, "89").await;
        send(&talk, 1, "01234567").await;
        let body = if request.is_null() { String::new() } else { request.to_string() };
        let reply = talk.say(format!("POST /api/multipart/{SECOND}/complete/\n\n{body}")).await;
        assert!(reply.starts_with("200 OK"), "{request}: {reply}");
        assert_eq!(talk.house.store.object(KEY).unwrap(), "0123456789");
    }
}

#[tokio::test]
async fn what_was_registered_but_never_sent_is_not_believed() {
    let talk = talk();
    create(&talk).await;
    say(&talk, "register-part", &json!({"part_number": 1, "etag": "x"})).await;
    assert_snapshot!(talk.say(format!("GET /api/multipart/{SECOND}/status/")).await, @r#"
    200 OK
    content-type: application/json

    {"id":"00000000-0000-4000-8000-000000000002","user_id":null,"filename":"recording.webm","content_type":"application/octet-stream","size":null,"s3_key":"recordings/00000000000040008000000000000001/recording.webm","part_size":5242880,"status":"uploading","created_at":"2026-11-21T00:00:00.000Z","parts":[],"bucket":"towline","s3_upload_id":"00000000-0000-4000-8000-000000000002","key":"recordings/00000000000040008000000000000001/recording.webm","upload_id":"00000000-0000-4000-8000-000000000002"}
    "#);
    assert_snapshot!(say(&talk, "complete", &json!({})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Missing parts: [1]"}
    "#);
}

#[tokio::test]
async fn an_upload_is_given_up() {
    let talk = talk();
    create(&talk).await;
    send(&talk, 1, "0123").await;
    assert_snapshot!(say(&talk, "abort", &json!({})).await, @r#"
    200 OK
    content-type: application/json

    {"status":"aborted"}
    "#);
    let status = talk.say(format!("GET /api/multipart/{SECOND}/status/")).await;
    assert!(status.contains("\"status\":\"aborted\"") && status.contains("\"parts\":[]"), "{status}");
    assert_snapshot!(say(&talk, "presign", &json!({"part_number": 1})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Upload session is cancelled"}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let talk = talk();
    create(&talk).await;
    let (first, second) = (send(&talk, 1, "012").await, send(&talk, 2, "3456").await);
    let named = |number: u64, tag: &str| json!({"part_number": number, "etag": tag});
    assert_snapshot!(say(&talk, "complete", &json!({"parts": [named(1, &second)]})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 1 is not the one that landed: its ETag is another"}
    "#);
    assert_snapshot!(say(&talk, "complete", &json!({"parts": [named(3, &second)]})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 3 is not the one that landed: its ETag is another"}
    "#);
    assert_snapshot!(say(&talk, "complete", &json!({"parts": [named(1, &first), named(2, &second)]})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 1 has 3 bytes, every part but the last needs at least 4"}
    "#);
    assert_snapshot!(say(&talk, "presign", &json!({"part_number": 10_001})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part number 10001 is not between 1 and 10000"}
    "#);
    assert_snapshot!(say(&talk, "register-part", &json!({"part_number": 0, "etag": "x"})).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part number 0 is not between 1 and 10000"}
    "#);
    assert_snapshot!(talk.say("GET /api/multipart/17/status/").await, @r#"
    404 Not Found
    content-type: application/json

    {"detail":"Upload session not found: \"17\" is no session id"}
    "#);
}

#[tokio::test]
async fn every_wrong_field_is_named_as_django_does() {
    let talk = talk();
    create(&talk).await;
    assert_snapshot!(talk.say("POST /api/multipart/create/\n\n{}").await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"filename: is missing","filename":["is missing"]}
    "#);
    let long = "x".repeat(256);
    let cases = [
        ("create/", json!({"filename": long}), "filename", "has 256 characters, 255 are allowed"),
        (
            "create/",
            json!({"filename": "a", "user_id": &long[..101]}),
            "user_id",
            "has 101 characters, 100 are allowed",
        ),
        ("create/", json!({"filename": "a", "size": -1}), "size", "must be a whole number, not negative"),
        (&format!("{SECOND}/presign/"), json!({}), "part_number", "is missing"),
        (&format!("{SECOND}/register-part/"), json!({"part_number": 1}), "etag", "is missing"),
        (&format!("{SECOND}/complete/"), json!({"parts": 7}), "parts", "must be a list"),
    ];
    for (path, body, field, problem) in cases {
        let reply = talk.say(format!("POST /api/multipart/{path}\n\n{body}")).await;
        assert!(reply.starts_with("400 Bad Request"), "{path} {body}: {reply}");
        let words: Value = serde_json::from_str(reply.split("\n\n").nth(1).unwrap()).unwrap();
        assert_eq!(words, json!({field: [problem], "detail": format!("{field}: {problem}")}));
    }
}

fn form(path: &str, field: &str, name: &str) -> String {
    format!(
        "POST {path}\nContent-Type: multipart/form-data; boundary=b\n\n--b\r\nContent-Disposition: form-data; \
         name=\"user_id\"\r\n\r\n7\r\n--b\r\nContent-Disposition: form-data; name=\"{field}\"; \
         filename=\"{name}\"\r\nContent-Type: video/webm\r\n\r\n0123456789\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn a_whole_file_comes_in_a_form() {
    let talk = talk();
    assert_snapshot!(talk.say(form("/api/upload/", "video", "recording.webm")).await, @r#"
    201 Created
    content-type: application/json

    {"video_url":"http://up.test/towline/recordings/00000000000040008000000000000001/recording.webm","key":"recordings/00000000000040008000000000000001/recording.webm"}
    "#);
    assert_eq!(talk.house.store.object(KEY).unwrap(), "0123456789");
    assert!(talk.say(form("/api/upload/simple/", "video", "b.webm")).await.starts_with("201 Created"));
    assert_snapshot!(talk.say(form("/api/upload/backend/", "file", "")).await, @r#"
    201 Created
    content-type: application/json

    {"file_url":"http://up.test/towline/recordings/00000000000040008000000000000005/file","key":"recordings/00000000000040008000000000000005/file"}
    "#);
    assert_snapshot!(talk.say(form("/api/upload/", "film", "a.webm")).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"body: the form has no field 'video'","body":["the form has no field 'video'"]}
    "#);
    let large = form("/api/upload/", "film", "a.webm").replacen("0123456789", &"0".repeat(100_000), 1);
    let told = "body: the form's fields before the file are too long: its field must be called 'video'";
    assert!(talk.say(large).await.contains(told));
    assert_snapshot!(talk.say("POST /api/upload/\n\n{}").await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Content-Type: is not multipart/form-data","Content-Type":["is not multipart/form-data"]}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_falls_silent_before_its_file_is_cut() {
    let talk = talk();
    let whole = form("/api/upload/", "video", "a.webm");
    for end in ["boundary=b\n\n", "user_id", "\r\n\r\n7", "filename"] {
        let at = whole.find(end).unwrap() + end.len();
        let reply = talk.ask_in_part(&whole[..at]).await;
        assert_eq!(reply.status(), 408, "{end:?}");
    }
}
