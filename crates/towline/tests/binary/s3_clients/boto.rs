//! boto3 with its defaults, checksums among them: `boto.py` speaks, and asserts what it is told.

use super::stage::{LARGE, Stage};
use crate::support::{Ended, noise};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/s3_clients/boto.py");

#[track_caller]
fn boto(stage: &Stage, behaviour: &str) {
    let ended = Ended::from(stage.python().args([SCRIPT, behaviour]).output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
}

#[test]
fn eight_threads_send_and_fetch_a_file_of_100_mb() {
    let stage = Stage::new();
    let file = noise(41, LARGE);
    stage.write("in.bin", &file);
    boto(&stage, "threads");
    stage.assert_arrived("large.bin", &file);
    stage.check();
}

#[test]
fn checksums_behind_the_bodies_are_read() {
    let stage = Stage::new();
    let file = noise(42, LARGE);
    stage.write("in.bin", &file);
    boto(&stage, "trailers");
    stage.assert_arrived("large.bin", &file);
    stage.assert_arrived("small.bin", b"small");
    stage.check();
}

#[test]
fn a_file_in_one_request_goes_in_comes_out_and_goes_away() {
    let stage = Stage::new();
    boto(&stage, "whole");
    assert!(!stage.has("whole.bin"));
    stage.check();
}

#[test]
fn keys_of_every_kind_are_kept_as_they_are() {
    let stage = Stage::new();
    boto(&stage, "odd_keys");
    for key in ["plus+plus.bin", "ümläut/日本語/🎬.bin", "~tilde-_.!*()@$,:.bin"] {
        stage.assert_arrived(key, key.as_bytes());
    }
    stage.check();
}

#[test]
fn all_pages_of_all_lists_are_read() {
    let stage = Stage::new();
    boto(&stage, "pages");
    stage.check();
}

#[test]
fn signed_urls_do_what_they_were_signed_for_and_nothing_else() {
    let stage = Stage::new();
    boto(&stage, "urls");
    assert!(!stage.has("other.bin"));
    stage.check();
}

#[test]
fn signed_forms_are_taken_within_their_conditions() {
    let stage = Stage::new();
    boto(&stage, "forms");
    assert!(!stage.has("forms/other"));
    stage.assert_arrived("forms/cat 1.png", b"meow");
    stage.check();
}

#[test]
fn a_file_that_must_not_be_there_yet_is_not_replaced() {
    let stage = Stage::new();
    boto(&stage, "conditions");
    stage.assert_arrived("once.bin", b"first");
    stage.check();
}

#[test]
fn signatures_of_another_time_are_refused() {
    let stage = Stage::new();
    boto(&stage, "times");
    stage.check();
}

#[test]
fn signed_urls_and_forms_of_the_second_version_are_taken_and_headers_are_not() {
    let stage = Stage::new();
    boto(&stage, "second_version");
    stage.assert_arrived("old.bin", b"after");
    stage.assert_arrived("form.bin", b"posted");
    assert!(!stage.has("any.bin") && !stage.has("other.bin"));
    stage.check();
}
