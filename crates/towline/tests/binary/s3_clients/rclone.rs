//! rclone, which compares sizes and MD5s of all it sends.

use std::fs;

use serde_json::Value;

use super::stage::{LARGE, Stage, assert_same, run};
use crate::support::noise;

#[track_caller]
fn rclone(stage: &Stage, arguments: &[&str]) -> String {
    let ended = run(stage.rclone().args(arguments));
    assert_eq!(ended.code, Some(0), "rclone {arguments:?}\n{}{}", ended.out, ended.err);
    ended.out
}

#[test]
fn a_folder_with_a_large_file_goes_both_ways_and_is_compared() {
    let stage = Stage::new();
    let names = ["large.bin", "small.bin", "deep/er/one byte.bin", "deep/ünï & 50% +.txt", "empty"];
    for ((seed, name), size) in (51..).zip(names).zip([LARGE, 300_000, 1, 70_000, 0]) {
        stage.write(&format!("tree/{name}"), &noise(seed, size));
    }
    rclone(&stage, &["copy", "tree", "HERE:towline/tree", "--s3-chunk-size", "5Mi"]);
    for name in names {
        stage.assert_arrived(&format!("tree/{name}"), &stage.read(&format!("tree/{name}")));
    }
    rclone(&stage, &["check", "tree", "HERE:towline/tree"]);
    rclone(&stage, &["check", "tree", "HERE:towline/tree", "--download"]);
    rclone(&stage, &["copy", "HERE:towline/tree", "back"]);
    for name in names {
        assert_same(&stage.read(&format!("back/{name}")), &stage.read(&format!("tree/{name}")));
    }
    let listed: Value =
        serde_json::from_str(&rclone(&stage, &["lsjson", "-R", "HERE:towline/tree", "--hash"])).unwrap();
    let entries = listed.as_array().unwrap();
    let files: Vec<_> = entries.iter().filter(|entry| entry["IsDir"] == false).collect();
    assert_eq!((entries.len(), files.len()), (7, names.len()));
    let large = files.iter().find(|entry| entry["Path"] == "large.bin").unwrap();
    assert_eq!(large["Size"], LARGE);
    // A second copy finds nothing to do.
    fs::write(stage.files.path().join("tree/small.bin"), b"changed").unwrap();
    let log = run(stage.rclone().args(["copy", "tree", "HERE:towline/tree", "-v"])).err;
    assert_eq!(log.lines().filter(|line| line.contains("Copied (")).count(), 1, "{log}");
    stage.assert_arrived("tree/small.bin", b"changed");
    stage.check();
}

#[test]
fn a_damaged_copy_is_found_by_its_digest() {
    let stage = Stage::new();
    stage.write("tree/a.bin", &noise(55, 1000));
    rclone(&stage, &["copy", "tree", "HERE:towline/tree"]);
    stage.write("tree/a.bin", &noise(56, 1000));
    let ended = run(stage.rclone().args(["check", "tree", "HERE:towline/tree"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("1 differences found"), "{}", ended.err);
    stage.check();
}

#[test]
fn delete_takes_away_what_is_below_a_folder() {
    let stage = Stage::new();
    for name in ["gone/a", "gone/b/c", "kept"] {
        stage.write(&format!("tree/{name}"), name.as_bytes());
    }
    rclone(&stage, &["copy", "tree", "HERE:towline"]);
    rclone(&stage, &["delete", "HERE:towline/gone"]);
    assert!(stage.has("kept") && !stage.has("gone/a") && !stage.has("gone/b/c"));
    assert_eq!(rclone(&stage, &["lsf", "-R", "HERE:towline"]), "kept\n");
    stage.check();
}
