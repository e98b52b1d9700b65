//! Straight to S3, without a server: against two real ones.

use std::fs;

use serde_json::json;

use super::desk::{Desk, event};

const MIB: usize = 1024 * 1024;

/// What the test command says of a server: a desk with its credentials, and a place of our own in its bucket.
fn bucket(variable: &str) -> (Desk, String) {
    #[expect(clippy::disallowed_methods, reason = "the tests' one reader of the environment")]
    let text = std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run this test with `cargo xtask test`"));
    let [endpoint, region, bucket, access_key, secret_key] =
        text.split(',').collect::<Vec<_>>().try_into().unwrap();
    let desk = Desk::new(&[
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_REGION", region),
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
    ]);
    (desk, format!("s3://{bucket}/put-line-{}-{:016x}/", std::process::id(), fastrand::u64(..)))
}

fn life(variable: &str) {
    let (desk, place) = bucket(variable);
    let file = desk.file("video.mp4", 17 * MIB);
    let small = desk.file("small ü.txt", 100);
    let key = format!("{place}video.mp4");

    let told = desk.ok(&["put", "video.mp4", "small ü.txt", &place]);
    assert_eq!(told.lines().count(), 3, "{told}");
    desk.ok(&["verify", "video.mp4", &key]);
    desk.ok(&["get", &format!("{place}small ü.txt"), "copy.txt"]);
    assert_eq!(fs::read(desk.path().join("copy.txt")).unwrap(), small);

    // Broken off, then found again without the journal.
    let events =
        desk.events(&["put", "video.mp4", "--simulate-failure", "0.7", "--part-size", "5MiB", &place], 1);
    let id = event(&events, "began")["id"].as_str().unwrap().to_owned();
    let there = desk.events(&["ls", &place], 0);
    assert_eq!(there[0]["id"], id);
    let known = desk.events(&["status", "--all"], 0);
    assert_eq!((&known[0]["id"], &known[0]["status"]), (&json!(id), &json!("open")));
    let desk = desk.elsewhere();
    let events = desk.events(&["put", "video.mp4", "--part-size", "5MiB", &place], 0);
    let done = event(&events, "done");
    assert_eq!(done["kept_bytes"].as_u64().unwrap() + done["sent_bytes"].as_u64().unwrap(), 17 * MIB as u64);
    assert!(done["kept_bytes"].as_u64().unwrap() >= 10 * MIB as u64, "{done}");
    desk.ok(&["get", &key, "copy.mp4", "--quiet"]);
    assert_eq!(fs::read(desk.path().join("copy.mp4")).unwrap(), file);

    // Given up by its id and key.
    let events = desk.events(&["put", "video.mp4", "--simulate-failure", "0.7", "--no-journal", &place], 1);
    let id = event(&events, "began")["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.run(&["abort", &id, "--to", &key]).code, Some(0));
    assert_eq!(desk.ok(&["ls", &place]).lines().count(), 1);
}

#[test]
fn a_file_lives_in_garage() {
    life("TOWLINE_TEST_GARAGE");
}

#[test]
fn a_file_lives_in_swift() {
    life("TOWLINE_TEST_SWIFT");
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let (desk, _) = bucket("TOWLINE_TEST_GARAGE");
    desk.file("a.txt", 10);
    let ended = desk.run(&["put", "a.txt", "s3://no-such-bucket-here/"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("error: ") && ended.err.contains("\nhint: "), "{}", ended.err);
}
