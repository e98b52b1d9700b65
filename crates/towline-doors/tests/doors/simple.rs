//! The simple door's transcripts: document 002.

use insta::assert_snapshot;
use serde_json::{Value, json};
use towline_doors::DoorSettings;

use crate::talk::{FIRST, Talk, unsigned};

fn talk() -> Talk {
    Talk::of_documents(DoorSettings::default())
}

async fn post(talk: &Talk, route: &str, body: &Value) -> String {
    talk.say(format!("POST {route}\nContent-Type: application/json\n\n{body}")).await
}

async fn send(talk: &Talk, number: u32, bytes: &str) -> String {
    let body = json!({"uploadId": FIRST, "key": "video.mp4", "partNumber": number});
    let url = talk.told(&format!("POST /get-presigned-url\n\n{body}"), "presignedUrl").await;
    talk.put_to(&url, bytes).await
}

#[tokio::test]
async fn the_documents_page_is_interrupted_and_finishes() {
    let talk = talk();
    assert_snapshot!(post(&talk, "/start-multipart-upload", &json!({"fileName": "video.mp4"})).await, @r#"
    200 OK
    content-type: application/json

    {"uploadId":"00000000-0000-4000-8000-000000000001","key":"video.mp4"}
    "#);
    let body = json!({"uploadId": FIRST, "key": "video.mp4", "partNumber": 1});
    let reply = post(&talk, "/get-presigned-url", &body).await;
    assert!(reply.contains("X-Amz-Expires=900&"), "{reply}");
    assert_snapshot!(unsigned(&reply), @r#"
    200 OK
    content-type: application/json

    {"presignedUrl":"http://up.test/towline/video.mp4?partNumber=1&uploadId=00000000-0000-4000-8000-000000000001"}
    "#);
    send(&talk, 1, "01234567").await;
    let list = json!({"uploadId": FIRST, "key": "video.mp4"});
    assert_snapshot!(post(&talk, "/list-parts", &list).await, @r#"
    200 OK
    content-type: application/json

    {"parts":[{"PartNumber":1,"ETag":"\"2e9ec317e197819358fbc43afca7d837\""}]}
    "#);
    let fresh = send(&talk, 2, "89").await;
    let parts = json!([
        {"PartNumber": 2, "ETag": fresh.trim_matches('"')},
        {"PartNumber": 1, "ETag": "\"\"2e9ec317e197819358fbc43afca7d837\"\""},
        {"PartNumber": 2, "ETag": fresh},
    ]);
    let body = json!({"uploadId": FIRST, "key": "video.mp4", "parts": parts});
    let completed = post(&talk, "/complete-multipart-upload", &body).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"message":"Upload completed successfully"}
    "#);
    assert_eq!(
        post(&talk, "/complete-multipart-upload/", &body).await,
        completed,
        "a repeat is answered alike"
    );
    assert_eq!(talk.house.store.object("video.mp4").unwrap(), "0123456789");
}

#[tokio::test]
async fn more_parts_than_one_page_holds_are_listed() {
    let talk = talk();
    post(&talk, "/start-multipart-upload", &json!({"fileName": "video.mp4"})).await;
    for number in 1..=1001 {
        send(&talk, number, "0123").await;
    }
    let reply = post(&talk, "/list-parts", &json!({"uploadId": FIRST, "key": "video.mp4"})).await;
    assert_eq!(reply.matches("\"PartNumber\"").count(), 1001);
    assert!(reply.contains("{\"PartNumber\":1001,"), "the last one, too");
}

#[tokio::test]
async fn a_name_that_is_no_key_becomes_one() {
    let talk = talk();
    let names = [("../../etc/passwd", "_/_/etc/passwd"), ("a\nb", "a_b"), ("", "file"), ("/ü b", "ü b")];
    for (name, key) in names {
        let request = format!("POST /start-multipart-upload\n\n{}", json!({"fileName": name}));
        assert_eq!(talk.told(&request, "key").await, key);
    }
}

#[tokio::test]
async fn an_upload_is_given_up() {
    let talk = talk();
    post(&talk, "/start-multipart-upload", &json!({"fileName": "video.mp4"})).await;
    let body = json!({"uploadId": FIRST, "key": "video.mp4"});
    assert_snapshot!(post(&talk, "/abort-multipart-upload", &body).await, @r#"
    200 OK
    content-type: application/json

    {"message":"Upload aborted successfully"}
    "#);
    assert_snapshot!(post(&talk, "/list-parts", &body).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Upload session is cancelled"}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let talk = talk();
    post(&talk, "/start-multipart-upload", &json!({"fileName": "video.mp4"})).await;
    let (first, second) = (send(&talk, 1, "012").await, send(&talk, 2, "3456").await);
    let complete = async |parts: Value| {
        let body = json!({"uploadId": FIRST, "key": "video.mp4", "parts": parts});
        post(&talk, "/complete-multipart-upload", &body).await
    };
    let named = |number: u64, tag: &str| json!({"PartNumber": number, "ETag": tag});
    assert_snapshot!(complete(json!([named(1, "00000000000000000000000000000000")])).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 1 is not the one that landed: its ETag is another"}
    "#);
    assert_snapshot!(complete(json!([named(3, &first)])).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 3 is not the one that landed: its ETag is another"}
    "#);
    assert_snapshot!(complete(json!([named(1, &first), named(2, &second)])).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part 1 has 3 bytes, every part but the last needs at least 4"}
    "#);
    let cases = [
        ("/start-multipart-upload", "{}", 400, "fileName: is missing"),
        ("/start-multipart-upload", "fileName", 400, "body: is not JSON"),
        ("/get-presigned-url", r#"{"uploadId":"x","key":"a"}"#, 400, "partNumber: is missing"),
        (
            "/get-presigned-url",
            r#"{"uploadId":"x","key":"a","partNumber":1}"#,
            404,
            "Upload session not found",
        ),
        ("/list-parts", r#"{"key":"a"}"#, 400, "uploadId: is missing"),
        ("/complete-multipart-upload", r#"{"uploadId":"x","key":"a"}"#, 400, "parts: is missing"),
    ];
    for (route, body, status, problem) in cases {
        let reply = talk.say(format!("POST {route}\n\n{body}")).await;
        assert!(reply.starts_with(&status.to_string()), "{route} {body}: {reply}");
        assert!(reply.contains(&format!("\n{{\"detail\":\"{problem}")), "{route} {body}: {reply}");
    }
    let body = json!({"uploadId": FIRST, "key": "video.mp4", "partNumber": 10_001});
    assert_snapshot!(post(&talk, "/get-presigned-url", &body).await, @r#"
    400 Bad Request
    content-type: application/json

    {"detail":"Part number 10001 is not between 1 and 10000"}
    "#);
    let other = json!({"uploadId": FIRST, "key": "other.mp4", "partNumber": 1, "parts": []});
    for route in
        ["/get-presigned-url", "/list-parts", "/complete-multipart-upload", "/abort-multipart-upload"]
    {
        let reply = post(&talk, route, &other).await;
        assert!(reply.starts_with("404"), "an id is good for its own key only: {route} {reply}");
    }
}
