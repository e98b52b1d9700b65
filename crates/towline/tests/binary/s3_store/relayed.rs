//! Bytes that pass through Towline into the store: document 004's flow, and the S3 door in front of S3.

use serde_json::json;

use super::bucket::{Bucket, Front, MIB, Uppy, Way, assert_same, sha256};
use crate::support::{Upload, noise};

#[test]
fn the_flow_of_document_004_ends_in_the_bucket_across_a_kill() {
    for bucket in Bucket::both() {
        let mut front = Front::start(&bucket, Way::Relayed);
        let file = noise(81, 16 * MIB + 345);
        let order = json!({"filename": "films/holiday 🎬.mp4", "file_size": file.len(), "chunk_size": 5 * MIB,
            "file_hash": sha256(&file)});
        let begun = front.server.send("POST", "/upload/init", &order).ok();
        assert_eq!((&begun["total_parts"], &begun["mode"]), (&json!(4), &json!("relayed")));
        let upload = Upload { id: begun["session_id"].as_str().unwrap().to_owned(), part_bytes: 5 * MIB };
        for number in [1, 3] {
            upload.put(&front.server, &file, number).ok();
        }
        let _half = upload.begin_put(&front.server, &file, 2, 2 * MIB);
        front.kill_and_start_again(&bucket);

        assert_eq!(upload.status(&front.server)["completed_parts"], json!([1, 3]));
        assert_eq!(upload.complete(&front.server).status, 400);
        for number in [4, 2] {
            upload.put(&front.server, &file, number).ok();
        }
        let done = upload.complete(&front.server).ok();
        assert_eq!(upload.complete(&front.server).ok(), done);
        assert_eq!(done["receipt"]["verified"]["value"], sha256(&file));
        let here = json!("/download/films/holiday%20%F0%9F%8E%AC.mp4");
        assert_eq!(
            (&done["file_path"], &done["receipt"]["location"]),
            (&here, &here),
            "not where the store is"
        );
        bucket.assert_holds("films/holiday 🎬.mp4", &file);
        assert_same(&front.get("films/holiday%20%F0%9F%8E%AC.mp4"), &file);
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn small_and_empty_files_end_in_the_bucket() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Relayed);
        for size in [0, 1, 5 * MIB] {
            let (file, key) = (noise(82, size), format!("{size}.bin"));
            let order = json!({"filename": key, "file_size": size, "chunk_size": 5 * MIB});
            let begun = front.server.send("POST", "/upload/init", &order).ok();
            let upload = Upload { id: begun["session_id"].as_str().unwrap().to_owned(), part_bytes: 5 * MIB };
            if size > 0 {
                upload.put(&front.server, &file, 1).ok();
            }
            upload.complete(&front.server).ok();
            bucket.assert_holds(&key, &file);
            assert_same(&front.get(&key), &file);
        }
    }
}

#[test]
fn a_part_size_that_the_store_cannot_take_is_replaced_by_one_that_it_can() {
    let front = Front::start(&Bucket::of_garage(), Way::Relayed);
    let order = json!({"filename": "a.bin", "file_size": 20 * MIB, "chunk_size": 2 * MIB});
    let begun = front.server.send("POST", "/upload/init", &order).ok();
    assert_eq!((&begun["part_bytes"], &begun["total_parts"]), (&json!(5 * MIB), &json!(4)));
}

#[test]
fn an_upload_that_is_given_up_leaves_nothing_in_the_bucket() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Relayed);
        let file = noise(83, 6 * MIB);
        let upload = Upload::begin(&front.server, "a.bin", file.len(), 5 * MIB);
        upload.put(&front.server, &file, 1).ok();
        let path = format!("/upload/{}", upload.id);
        assert_eq!(front.server.send("DELETE", &path, &json!({})).ok()["status"], "cancelled");
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn the_parts_of_a_page_that_must_not_see_the_store_pass_through() {
    for bucket in Bucket::both() {
        let mut front = Front::start(&bucket, Way::Relayed);
        let file = noise(84, 11 * MIB);
        let mut upload = Uppy::begin(&front, "page.bin");
        for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
            let url = upload.url(&front, number);
            assert!(url.starts_with(&format!("http://{}/", front.server.address())), "{url}");
            upload.put(&front, number, bytes);
        }
        front.kill_and_start_again(&bucket);
        assert_eq!(upload.list(&front).as_array().unwrap().len(), 3);
        let done = upload.complete(&front).ok();
        assert_eq!(upload.complete(&front).ok(), done);
        bucket.assert_holds(&upload.key, &file);
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}
