//! The presign door's transcripts: document 003.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::{Value, json};
use towline_core::policy::{Existing, Policy};
use towline_doors::DoorSettings;

use crate::talk::{FIRST, Talk, unsigned};

fn talk() -> Talk {
    Talk::of_documents(DoorSettings::default())
}

async fn init(talk: &Talk) {
    let body = r#"{"key":"myfiles/largefile.zip","content_type":"application/zip"}"#;
    let id = talk.told(&format!("POST /api/uploads/multipart/init\n\n{body}"), "upload_id").await;
    assert_eq!(id, FIRST);
}

/// Sends a part as the document's page does and returns its `ETag`.
async fn send(talk: &Talk, number: u32, bytes: &str) -> String {
    let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST, "part_number": number});
    let url = talk.told(&format!("POST /api/uploads/multipart/part-url\n\n{body}"), "url").await;
    talk.put_to(&url, bytes).await
}

fn complete(parts: &Value) -> String {
    let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST, "parts": parts});
    format!("POST /uploads/multipart/complete\n\n{body}")
}

#[tokio::test]
async fn the_documents_browser_code_goes_through() {
    let talk = talk();
    let body = r#"{"key":"myfiles/largefile.zip","content_type":"application/zip"}"#;
    let request =
        format!("POST /api/uploads/multipart/init\nContent-Type: text/plain;charset=UTF-8\n\n{body}");
    assert_snapshot!(talk.say(request).await, @r#"
    200 OK
    content-type: application/json

    {"upload_id":"00000000-0000-4000-8000-000000000001","key":"myfiles/largefile.zip","bucket":"towline"}
    "#);
    let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST, "part_number": 1});
    let reply = talk.say(format!("POST /api/uploads/multipart/part-url\n\n{body}")).await;
    assert!(reply.contains("&X-Amz-Signature="), "{reply}");
    assert_snapshot!(unsigned(&reply), @r#"
    200 OK
    content-type: application/json

    {"url":"http://up.test/towline/myfiles/largefile.zip?partNumber=1&uploadId=00000000-0000-4000-8000-000000000001","part_number":1,"key":"myfiles/largefile.zip","upload_id":"00000000-0000-4000-8000-000000000001"}
    "#);
    let (second, first) = (send(&talk, 2, "89").await, send(&talk, 1, "01234567").await);
    let list = format!("GET /uploads/multipart/parts?key=myfiles%2Flargefile.zip&upload_id={FIRST}");
    let listed = talk.say(&list).await;
    assert_snapshot!(listed, @r#"
    200 OK
    content-type: application/json

    {"parts":[{"PartNumber":1,"ETag":"\"2e9ec317e197819358fbc43afca7d837\"","Size":8,"LastModified":"2026-11-21T00:00:00.000Z"},{"PartNumber":2,"ETag":"\"7647966b7343c29048673252e490f736\"","Size":2,"LastModified":"2026-11-21T00:00:00.000Z"}],"bucket":"towline","key":"myfiles/largefile.zip","upload_id":"00000000-0000-4000-8000-000000000001","part_count":2}
    "#);
    let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST});
    assert_eq!(talk.say(format!("POST /api/uploads/multipart/parts/list\n\n{body}")).await, listed);
    let request = complete(&json!([{"PartNumber": 2, "ETag": second}, {"PartNumber": 1, "ETag": first}]));
    let completed = talk.say(&request).await;
    assert_snapshot!(completed, @r#"
    200 OK
    content-type: application/json

    {"location":"http://up.test/towline/myfiles/largefile.zip","bucket":"towline","key":"myfiles/largefile.zip","etag":"\"b15d066c052bb5b3b2cb6cc37a51be41-2\""}
    "#);
    assert_eq!(talk.say(&request).await, completed, "a repeat is answered alike");
    assert_eq!(talk.house.store.object("myfiles/largefile.zip").unwrap(), "0123456789");
}

#[tokio::test]
async fn whole_files_are_put_and_read_by_one_url() {
    let talk = talk();
    let body = r#"{"key":"a b/ü.zip","content_type":"application/zip","expires_in":60}"#;
    let reply = talk.say(format!("POST /uploads/url\n\n{body}")).await;
    assert!(reply.contains("X-Amz-Expires=60&") && reply.contains("content-type%3Bhost"), "{reply}");
    assert_snapshot!(unsigned(&reply), @r#"
    200 OK
    content-type: application/json

    {"url":"http://up.test/towline/a%20b/%C3%BC.zip","key":"a b/ü.zip"}
    "#);
    assert_snapshot!(talk.say("GET /uploads/download/a%20b/%C3%BC.zip").await, @r#"
    404 Not Found
    content-type: application/json

    {"error":"file-not-found","message":"There is no file \"a b/ü.zip\""}
    "#);
    talk.upload("{\"filename\":\"a b/ü.zip\",\"file_size\":1}", "x").await;
    let reply = talk.say("GET /uploads/download/a%20b/%C3%BC.zip?expires_in=7").await;
    assert!(reply.contains("X-Amz-Expires=7&"), "{reply}");
    assert_snapshot!(unsigned(&reply), @r#"
    200 OK
    content-type: application/json

    {"url":"http://up.test/towline/a%20b/%C3%BC.zip","key":"a b/ü.zip"}
    "#);
    let encoded = talk.say("GET /api/uploads/download/a%20b%2F%C3%BC.zip?expires_in=7").await;
    assert_eq!(encoded, reply, "a slash may be encoded, too");
}

#[tokio::test]
async fn an_upload_is_given_up_by_a_body_or_a_query() {
    let talk = talk();
    init(&talk).await;
    let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST});
    let aborted = talk.say(format!("DELETE /uploads/multipart/abort\n\n{body}")).await;
    assert_snapshot!(aborted, @r#"
    200 OK
    content-type: application/json

    {"status":"aborted","bucket":"towline","key":"myfiles/largefile.zip","upload_id":"00000000-0000-4000-8000-000000000001"}
    "#);
    let query = format!("key=myfiles/largefile.zip&upload_id={FIRST}");
    assert_eq!(talk.say(format!("DELETE /api/uploads/multipart/abort?{query}")).await, aborted);
    assert_snapshot!(talk.say("DELETE /uploads/multipart/abort").await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"bad-field","message":"key: is missing"}
    "#);
    assert_snapshot!(talk.say(format!("GET /uploads/multipart/parts?{query}")).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"not-open","message":"Upload session is cancelled"}
    "#);
    assert_eq!(talk.house.store.staged_count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn an_upload_that_nobody_went_on_with_is_gone() {
    let talk = talk();
    init(&talk).await;
    let first = send(&talk, 1, "0123").await;
    talk.house.clock.advance(Duration::from_hours(8 * 24));
    talk.house.engine.sweep(Duration::ZERO).await.unwrap();
    let reply = talk.say(complete(&json!([{"PartNumber": 1, "ETag": first}]))).await;
    assert_snapshot!(reply, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"not-open","message":"Upload session is expired"}
    "#);
}

#[tokio::test]
async fn what_cannot_be_completed_is_said() {
    let talk = talk();
    init(&talk).await;
    let (first, second) = (send(&talk, 1, "012").await, send(&talk, 2, "3456").await);
    let named = |number: u64, tag: &str| json!({"PartNumber": number, "ETag": tag});
    let wrong = complete(&json!([named(1, "\"00000000000000000000000000000000\"")]));
    assert_snapshot!(talk.say(wrong).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"part-tag","message":"Part 1 is not the one that landed: its ETag is another"}
    "#);
    let missing = complete(&json!([named(3, &first)]));
    assert_snapshot!(talk.say(missing).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"part-tag","message":"Part 3 is not the one that landed: its ETag is another"}
    "#);
    let small = complete(&json!([named(1, &first), named(2, &second)]));
    assert_snapshot!(talk.say(small).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"part-too-small","message":"Part 1 has 3 bytes, every part but the last needs at least 4"}
    "#);
    assert_snapshot!(talk.say(complete(&json!([]))).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"missing-parts","message":"Missing parts: [1]"}
    "#);
    assert_snapshot!(talk.say(complete(&json!([named(10_001, &first)]))).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"part-out-of-range","message":"Part number 10001 is not between 1 and 10000"}
    "#);
    assert_snapshot!(talk.say(complete(&json!([{"PartNumber": 1}]))).await, @r#"
    400 Bad Request
    content-type: application/json

    {"error":"bad-field","message":"ETag: is missing"}
    "#);
}

#[tokio::test]
async fn an_id_is_good_for_its_own_key_only() {
    let talk = talk();
    init(&talk).await;
    let other = json!({"key": "other.zip", "upload_id": FIRST, "part_number": 1, "parts": []});
    let unknown =
        json!({"key": "myfiles/largefile.zip", "upload_id": "abc123uploadid", "part_number": 1, "parts": []});
    for route in [
        "POST /uploads/multipart/part-url",
        "POST /uploads/multipart/complete",
        "DELETE /uploads/multipart/abort",
        "POST /uploads/multipart/parts/list",
    ] {
        let reply = talk.say(format!("{route}\n\n{other}")).await;
        assert_eq!(
            reply,
            "404 Not Found\ncontent-type: application/json\n\n{\"error\":\"upload-not-found\",\"message\":\"Upload session not found: 00000000-0000-4000-8000-000000000001\"}"
        );
        assert!(talk.say(format!("{route}\n\n{unknown}")).await.starts_with("404"), "{route}");
    }
    assert_eq!(talk.house.store.staged_count(), 1, "it is there still");
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let talk = talk();
    init(&talk).await;
    let cases = [
        ("POST /uploads/url", "{}", "key: is missing"),
        ("POST /uploads/url", r#"{"key":"../a"}"#, "key: it has a '..' segment"),
        ("POST /uploads/url", r#"{"key":".towline/a"}"#, "key: it begins with '.towline/'"),
        ("POST /uploads/multipart/init", r#"{"key":".towline/a/sealed"}"#, "key: it begins with '.towline/'"),
        (
            "POST /uploads/url",
            r#"{"key":"a","content_type":"a/b\r\nx: y"}"#,
            "content_type: holds a control character",
        ),
        ("POST /uploads/url", r#"{"key":"a","content_type":"a\u0000"}"#, "content_type: holds a control"),
        ("POST /uploads/url", r#"{"key":"a","expires_in":0}"#, "expires_in: is not a number of seconds"),
        ("POST /uploads/url", r#"{"key":"a","expires_in":604801}"#, "expires_in: is not a number of seconds"),
        ("GET /uploads/download/a?expires_in=soon", "", "expires_in: must be a whole number"),
        ("POST /uploads/multipart/init", "{", "body: is not JSON"),
        ("POST /uploads/multipart/init", r#"{"key":7}"#, "key: must be text"),
        ("POST /uploads/multipart/part-url", r#"{"key":"a","upload_id":"x"}"#, "part_number: is missing"),
        (
            "POST /uploads/multipart/part-url",
            r#"{"key":"a","upload_id":"x","part_number":"one"}"#,
            "part_number: must be a whole number",
        ),
        ("POST /uploads/multipart/complete", r#"{"key":"a","upload_id":"x"}"#, "parts: is missing"),
        ("GET /uploads/multipart/parts?key=a", "", "upload_id: is missing"),
    ];
    for (route, body, problem) in cases {
        let reply = talk.say(format!("{route}\n\n{body}")).await;
        assert!(reply.starts_with("400 Bad Request"), "{route} {body}: {reply}");
        assert!(reply.contains(&format!("\"message\":\"{problem}")), "{route} {body}: {reply}");
    }
    for number in [0, 10_001] {
        let body = json!({"key": "myfiles/largefile.zip", "upload_id": FIRST, "part_number": number});
        let reply = talk.say(format!("POST /uploads/multipart/part-url\n\n{body}")).await;
        let told = format!(
            "{{\"error\":\"part-out-of-range\",\"message\":\"Part number {number} is not between 1 and 10000\"}}"
        );
        assert!(reply.starts_with("400") && reply.ends_with(&told), "{reply}");
    }
}

#[tokio::test]
async fn the_documents_invocation_payloads_are_answered() {
    let talk = talk();
    let invoke = async |processor: &str, action: &str, payload: Value| {
        let body = json!({"processor_name": processor, "action": action, "payload": payload});
        talk.say(format!("POST /invoke\n\n{body}")).await
    };
    let key = "large-files/myfile.zip";
    let initiated = invoke(
        "s3_upload",
        "initiate_multipart_upload",
        json!({"key": key, "content_type": "application/zip"}),
    )
    .await;
    assert_snapshot!(initiated, @r#"
    200 OK
    content-type: application/json

    {"statusCode":200,"body":"{\"upload_id\":\"00000000-0000-4000-8000-000000000001\",\"key\":\"large-files/myfile.zip\",\"bucket\":\"towline\"}"}
    "#);
    let named = json!({"key": key, "upload_id": FIRST});
    let part = json!({"key": key, "upload_id": FIRST, "part_number": 1});
    let signed = invoke("s3_upload", "generate_presigned_part_upload_url", part).await;
    let inner: Value = serde_json::from_str(signed.split("\n\n").nth(1).unwrap()).unwrap();
    let inner: Value = serde_json::from_str(inner["body"].as_str().unwrap()).unwrap();
    let etag = talk.put_to(inner["url"].as_str().unwrap(), "bytes").await;
    assert_snapshot!(invoke("s3_upload", "list_parts", named.clone()).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":200,"body":"{\"parts\":[{\"PartNumber\":1,\"ETag\":\"\\\"4b3a6218bb3e3a7303e8a171a60fcf92\\\"\",\"Size\":5,\"LastModified\":\"2026-11-21T00:00:00.000Z\"}],\"bucket\":\"towline\",\"key\":\"large-files/myfile.zip\",\"upload_id\":\"00000000-0000-4000-8000-000000000001\",\"part_count\":1}"}
    "#);
    let parts = json!({"key": key, "upload_id": FIRST, "parts": [{"PartNumber": 1, "ETag": etag}]});
    assert_snapshot!(invoke("s3_upload", "complete_multipart_upload", parts).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":200,"body":"{\"location\":\"http://up.test/towline/large-files/myfile.zip\",\"bucket\":\"towline\",\"key\":\"large-files/myfile.zip\",\"etag\":\"\\\"0b034e41e6cd53ddca775db50cc1ff6a-1\\\"\"}"}
    "#);
    assert_eq!(talk.house.store.object(key).unwrap(), "bytes");
    assert_snapshot!(invoke("s3_upload", "abort_multipart_upload", named.clone()).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":400,"body":"{\"error\":\"not-open\",\"message\":\"Upload session is completed\"}"}
    "#);
    for action in ["generate_presigned_upload_url", "generate_presigned_download_url"] {
        let reply = invoke("s3_upload", action, json!({"key": key})).await;
        assert!(reply.contains("{\"statusCode\":200,\"body\":\"{\\\"url\\\":\\\"http://up.test/"), "{reply}");
    }
    assert_snapshot!(invoke("thumbnails", "list_parts", named).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":404,"body":"{\"error\":\"no-route\",\"message\":\"There is no processor \\\"thumbnails\\\"\"}"}
    "#);
    assert_snapshot!(invoke("s3_upload", "delete_bucket", json!({})).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":400,"body":"{\"error\":\"bad-field\",\"message\":\"action: is not one of generate_presigned_upload_url, generate_presigned_download_url, initiate_multipart_upload, generate_presigned_part_upload_url, complete_multipart_upload, abort_multipart_upload, list_parts\"}"}
    "#);
    assert_snapshot!(invoke("s3_upload", "list_parts", json!({"key": key})).await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":400,"body":"{\"error\":\"bad-field\",\"message\":\"upload_id: is missing\"}"}
    "#);
    assert_snapshot!(talk.say("POST /invoke\n\n{\"action\":\"list_parts\"}").await, @r#"
    200 OK
    content-type: application/json

    {"statusCode":400,"body":"{\"error\":\"bad-field\",\"message\":\"processor_name: is missing\"}"}
    "#);
}

#[tokio::test]
async fn no_url_to_the_store_goes_round_what_the_server_allows() {
    let body = r#"{"key":"a"}"#;
    let refusing = Policy { existing: Existing::Refuse, ..Policy::default() };
    let small = Policy { total_bytes_max: Some(10), ..Policy::default() };
    for policy in [refusing, small] {
        let talk = Talk::direct_by(policy.clone(), DoorSettings::default());
        let reply = talk.say(format!("POST /uploads/url\n\n{body}")).await;
        assert!(reply.starts_with("501") && reply.contains("no-whole-links"), "{reply}");
        // In parts, the end is asked for here.
        let begun = talk.say(format!("POST /uploads/multipart/init\n\n{body}")).await;
        assert!(begun.starts_with("200 OK"), "{begun}");
        // Our own door holds what comes by its URLs to the same.
        let talk = Talk::new(policy, DoorSettings::default(), axum::Router::new());
        let reply = talk.say(format!("POST /uploads/url\nHost: h\n\n{body}")).await;
        assert!(reply.starts_with("200 OK"), "{reply}");
    }
    let talk = Talk::direct(DoorSettings::default());
    assert!(talk.say(format!("POST /uploads/url\n\n{body}")).await.contains("https://store.test/box/a?put"));
}
