//! What is refused in front of a bucket: by Towline, in the words of the protocol, or by the store.

use serde_json::{Value, json};

use super::bucket::{Bucket, Front, MIB, Uppy, Way, send_to};
use crate::support::noise;

#[test]
fn a_wrong_list_is_refused_and_the_right_one_is_taken_after_it() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(111, 10 * MIB);
        let mut upload = Uppy::begin(&front, "list.bin");
        for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
            upload.put(&front, number, bytes);
        }
        let right = upload.parts.clone();
        let swapped = json!({"PartNumber": 2, "ETag": right[0]["ETag"]});
        let never_sent = json!({"PartNumber": 3, "ETag": right[0]["ETag"]});
        let beyond = json!({"PartNumber": 10_001, "ETag": right[0]["ETag"]});
        for parts in [
            vec![right[0].clone(), swapped],
            vec![right[0].clone(), right[1].clone(), never_sent],
            vec![right[0].clone(), beyond],
        ] {
            let reply = upload.complete_with(&front, &parts);
            assert_eq!(reply.status, 400, "{}", reply.text());
            assert!(reply.json()["message"].is_string(), "{}", reply.text());
        }
        // Shuffled and told twice, as browsers do.
        let shuffled = [right[1].clone(), right[0].clone(), right[1].clone()];
        upload.complete_with(&front, &shuffled).ok();
        bucket.assert_holds(&upload.key, &file);
    }
}

#[test]
fn ten_thousand_and_one_parts_are_refused() {
    let front = Front::start(&Bucket::of_garage(), Way::Direct);
    let mut upload = Uppy::begin(&front, "many.bin");
    upload.put(&front, 1, b"one");
    assert_eq!(upload.try_url(&front, 10_001).status, 400);
    assert_eq!(upload.try_url(&front, 0).status, 400);
    assert_eq!(upload.try_url(&front, 10_000).status, 200);
    let tag = &upload.parts[0]["ETag"];
    let parts: Vec<Value> = (1..=10_001).map(|number| json!({"PartNumber": number, "ETag": tag})).collect();
    assert_eq!(upload.complete_with(&front, &parts).status, 400);
}

#[test]
fn parts_below_the_minimum_are_refused_when_they_are_joined() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let mut upload = Uppy::begin(&front, "small.bin");
        upload.put(&front, 1, &noise(112, 1000));
        upload.put(&front, 2, &noise(113, 1000));
        let reply = upload.complete(&front);
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(upload.list(&front).as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_url_is_good_for_its_own_key_part_and_method_only() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let upload = Uppy::begin(&front, "mine.bin");
        let url = upload.url(&front, 1);
        for (from, to) in [
            ("mine.bin", "other.bin"),
            ("partNumber=1", "partNumber=2"),
            ("X-Amz-Expires=900", "X-Amz-Expires=90000"),
        ] {
            let changed = url.replacen(from, to, 1);
            assert_ne!(changed, url);
            let reply = send_to("PUT", &changed, b"bytes");
            assert_eq!(reply.status, 403, "{from}: {}", reply.text());
        }
        assert_eq!(send_to("DELETE", &url, b"").status, 403);
        assert_eq!(send_to("GET", &url, b"").status, 403);
        assert_eq!(upload.list(&front), json!([]));
    }
}

#[test]
fn an_upload_of_another_key_is_none() {
    let front = Front::start(&Bucket::of_garage(), Way::Direct);
    let upload = Uppy::begin(&front, "mine.bin");
    let other = Uppy { id: upload.id.clone(), key: "other.bin".to_owned(), parts: Vec::new() };
    assert_eq!(other.try_url(&front, 1).status, 404);
    assert_eq!(other.complete_with(&front, &[]).status, 404);
    assert_eq!(other.abort(&front).status, 404);
    assert_eq!(upload.try_url(&front, 1).status, 200);
}
