//! A kill in the middle of what the AWS CLI does.

use std::process::Stdio;

use super::aws_parts::Parts;
use super::stage::{LARGE, MIB, Stage, text};
use crate::support::{Ended, Line, noise};

#[test]
fn a_file_of_100_mb_goes_in_after_a_kill_by_the_same_command() {
    let mut stage = Stage::new();
    let file = noise(61, LARGE);
    let path = stage.write("video.mp4", &file);
    let copy = ["s3", "cp", text(&path), "s3://towline/video.mp4"];
    let line = Line::to(&stage.house.server, LARGE / 2);
    let mut client = stage.aws_at(line.address());
    let client = client.args(copy).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    line.wait_until_stopped();
    stage.kill_and_start_again();
    drop(line);
    let ended = Ended::from(client.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(!stage.has("video.mp4"));
    stage.aws(&copy);
    stage.assert_arrived("video.mp4", &file);
    stage.check();
}

#[test]
fn parts_that_were_acknowledged_before_a_kill_are_listed_and_joined_after_it() {
    let mut stage = Stage::new();
    let file = noise(62, 14 * MIB);
    let parts: Vec<_> = file.chunks(5 * MIB).collect();
    let mut upload = Parts::begin(&stage, "killed.bin");
    upload.send(&stage, 1, parts[0]);
    stage.kill_and_start_again();
    upload.send(&stage, 2, parts[1]);
    stage.kill_and_start_again();
    assert_eq!(upload.numbers(&stage), [1, 2]);
    upload.send(&stage, 3, parts[2]);
    let done = upload.complete(&stage);
    stage.assert_arrived("killed.bin", &file);
    stage.kill_and_start_again();
    assert_eq!(upload.complete(&stage)["ETag"], done["ETag"]);
    stage.assert_arrived("killed.bin", &file);
    stage.check();
}
