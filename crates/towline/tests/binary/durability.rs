//! What was acknowledged is there after a kill, and a folder has one owner.

use std::fs;

use serde_json::json;

use crate::support::{Ended, Server, Upload, noise};

const PART: usize = 256 * 1024;

#[test]
fn an_upload_goes_on_after_a_kill_in_mid_part() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(1, 4 * PART + 1000);
    let mut server = Server::start(data.path());
    let upload = Upload::begin(&server, "videos/holiday 🎬.mp4", file.len(), PART);
    for number in [1, 3] {
        assert_eq!(upload.put(&server, &file, number).ok()["part_number"], number);
    }
    let _half = upload.begin_put(&server, &file, 2, PART / 2);
    server.kill();

    let server = Server::start(data.path());
    let status = upload.status(&server);
    assert_eq!(status["completed_parts"], json!([1, 3]));
    assert_eq!(status["status"], "in_progress");
    assert_eq!(upload.complete(&server).status, 400);
    for number in [2, 4, 5] {
        upload.put(&server, &file, number).ok();
    }
    let done = upload.complete(&server).ok();
    let path = data.path().canonicalize().unwrap().join("completed/videos/holiday 🎬.mp4");
    assert_eq!(done["file_path"], path.to_str().unwrap());
    assert_eq!(fs::read(path).unwrap(), file);
    assert_eq!(server.get("/download/videos/holiday%20%F0%9F%8E%AC.mp4").body, file);
}

#[test]
fn what_was_completed_is_still_answered_alike_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(2, PART + 1);
    let mut server = Server::start(data.path());
    let upload = Upload::begin(&server, "a.bin", file.len(), PART);
    upload.put(&server, &file, 1).ok();
    upload.put(&server, &file, 2).ok();
    let first = upload.complete(&server).ok();
    server.kill();
    let server = Server::start(data.path());
    assert_eq!(upload.complete(&server).ok(), first);
    assert_eq!(upload.status(&server)["status"], "completed");
}

#[test]
fn a_client_that_goes_away_in_mid_part_leaves_nothing_and_can_come_again() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(3, 2 * PART);
    let server = Server::start(data.path());
    let upload = Upload::begin(&server, "b.bin", file.len(), PART);
    drop(upload.begin_put(&server, &file, 1, PART - 1));
    assert_eq!(upload.status(&server)["completed_parts"], json!([]));
    upload.put(&server, &file, 2).ok();
    upload.put(&server, &file, 1).ok();
    upload.complete(&server).ok();
    assert_eq!(fs::read(data.path().join("completed/b.bin")).unwrap(), file);
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_in_words() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ended = Ended::of_serve(data.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("is in use by another server"), "{}", ended.err);
    assert!(ended.err.contains(&server.pid().to_string()), "{}", ended.err);
    assert_eq!(server.get("/health").ok(), json!({"status": "healthy"}));
}

#[test]
fn a_catalog_that_is_none_is_refused_in_words_and_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("catalog.sqlite");
    let text = "these are somebody's notes, not a database\n".repeat(100);
    fs::write(&path, &text).unwrap();
    let ended = Ended::of_serve(data.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("error: cannot open the catalog: "), "{}", ended.err);
    assert!(ended.err.contains("catalog.sqlite"), "{}", ended.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
