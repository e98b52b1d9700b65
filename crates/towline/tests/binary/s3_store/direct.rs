//! Bytes that go past Towline: Uppy's requests, with PUTs straight to the store.

use serde_json::{Value, json};

use super::bucket::{Bucket, Front, MIB, Uppy, Way, assert_same, send_to};
use crate::support::noise;

#[test]
fn parts_are_put_to_the_store_listed_and_joined_and_the_answer_stays() {
    for bucket in Bucket::both() {
        let mut front = Front::start(&bucket, Way::Direct);
        let file = noise(91, 12 * MIB + 345);
        let mut upload = Uppy::begin(&front, "holiday 🎬.mp4");
        assert_eq!(upload.list(&front), json!([]));
        for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
            let url = upload.url(&front, number);
            assert!(url.starts_with(&bucket.endpoint), "{url}");
            upload.put(&front, number, bytes);
            // A list is of this very moment.
            assert_eq!(upload.list(&front).as_array().unwrap().len(), number);
        }
        front.kill_and_start_again(&bucket);
        let listed = upload.list(&front);
        let field =
            |name: &str| listed.as_array().unwrap().iter().map(|part| part[name].clone()).collect::<Vec<_>>();
        assert_eq!(field("PartNumber"), [json!(1), json!(2), json!(3)]);
        assert_eq!(field("Size"), [json!(5 * MIB), json!(5 * MIB), json!(2 * MIB + 345)]);
        assert_eq!(field("ETag"), upload.parts.iter().map(|part| part["ETag"].clone()).collect::<Vec<_>>());
        let done = upload.complete(&front).ok();
        assert_eq!(done["key"], upload.key);
        assert_eq!(upload.complete(&front).ok(), done);
        bucket.assert_holds(&upload.key, &file);
        assert_eq!(upload.abort(&front).ok(), json!({}));
        bucket.assert_holds(&upload.key, &file);
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn a_batch_of_urls_and_the_url_of_a_whole_file_work_at_the_store() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(92, 6 * MIB);
        let upload = Uppy::begin(&front, "batch.bin");
        let path = upload.complete_path().replace("/complete", "/batch") + "&partNumbers=1,2-1000";
        let urls = front.ask("GET", &path, &Value::Null).ok()["presignedUrls"].clone();
        assert_eq!(urls.as_object().unwrap().len(), 1000);
        let mut parts = Vec::new();
        for (number, bytes) in [(7, &file[..5 * MIB]), (1000, &file[5 * MIB..])] {
            let reply = send_to("PUT", urls[number.to_string()].as_str().unwrap(), bytes);
            assert_eq!(reply.status, 200, "{}", reply.text());
            parts.push(json!({"PartNumber": number, "ETag": reply.header("etag").unwrap()}));
        }
        upload.complete_with(&front, &parts).ok();
        bucket.assert_holds(&upload.key, &file);

        let signed = front.server.send("POST", "/uploads/url", &json!({"key": "whole/a b+c.bin"})).ok();
        let reply = send_to("PUT", signed["url"].as_str().unwrap(), &file);
        assert_eq!(reply.status, 200, "{}", reply.text());
        bucket.assert_holds("whole/a b+c.bin", &file);
        let signed = front.server.get("/uploads/download/whole/a%20b+c.bin").ok();
        assert_same(&send_to("GET", signed["url"].as_str().unwrap(), b"").body, &file);
    }
}

#[test]
fn the_session_door_gives_out_urls_of_the_store() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(93, 7 * MIB);
        let order = json!({"filename": "session.bin", "file_size": file.len(), "chunk_size": 5 * MIB});
        let begun = front.server.send("POST", "/upload/init", &order).ok();
        assert_eq!(begun["mode"], "direct");
        let id = begun["session_id"].as_str().unwrap();
        let path = |rest: &str| format!("/upload/{id}/{rest}");
        let signed = front.server.send("POST", &path("urls"), &json!({"from": 1, "to": 2})).ok();
        assert_eq!(signed["mode"], "direct");
        for (part, bytes) in signed["urls"].as_array().unwrap().iter().zip(file.chunks(5 * MIB)) {
            let url = part["url"].as_str().unwrap();
            assert!(url.starts_with(&bucket.endpoint), "{url}");
            let reply = send_to("PUT", url, bytes);
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        front.server.send("POST", &path("complete"), &json!({})).ok();
        assert_eq!(front.server.get(&path("status")).ok()["completed_parts"], json!([1, 2]));
        bucket.assert_holds("session.bin", &file);
        assert_same(&front.get("session.bin"), &file);
    }
}
