//! Straight to S3, without a server of ours: whole, killed and gone on with, and nothing left over.

use super::stage::{HEADS, MIB, Person, Stage, count, done, text};
use crate::s3_store::bucket::{Bucket, assert_same};
use crate::support::{Line, noise};

const PART: usize = 5 * MIB;
const STOP: usize = 17 * MIB;
const UNDER_WAY: usize = 2 * PART;

fn file() -> Vec<u8> {
    noise(441, 28 * MIB + 3)
}

fn order<'a>(path: &'a str, url: &'a str) -> [&'a str; 5] {
    ["--part-size=5MiB", "--workers=2", "--tries=3", path, url]
}

#[test]
fn files_arrive_and_come_back() {
    for bucket in Bucket::both() {
        let person = Person::with(bucket.environment());
        for (name, size) in
            [("empty", 0), ("a", 1), ("ünï 🎬 & 50% +#?.bin", 6 * MIB), ("large", 16 * MIB + 7)]
        {
            let file = noise(442, size);
            person.write(name, &file);
            let ended = person.put(&order(name, &bucket.url(name)));
            assert_eq!(count(&ended, "sent_bytes"), size);
            let ended = person.run(&["verify", name, &bucket.url(name)]);
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            let ended = person.run(&["get", &bucket.url(name), "back"]);
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            assert_same(&person.read("back"), &file);
        }
        // Somebody else's client need not believe ours.
        bucket.assert_holds("large", &person.read("large"));
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn a_stream_arrives() {
    for bucket in Bucket::both() {
        let person = Person::with(bucket.environment());
        for (key, size) in [("stream", 12 * MIB), ("short", 5), ("nothing", 0)] {
            let bytes = noise(443, size);
            let arguments = ["put", "--json", "--part-size=5MiB", "-", &bucket.url(key)];
            done(&person.run_with_input(&arguments, &bytes));
            assert_same(person.run_to_bytes(&["get", &bucket.url(key), "-"]).as_slice(), &bytes);
        }
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

/// Sends until the line stops, and is killed. Gives the line, open again.
fn killed(bucket: &Bucket, person: &mut Person) -> (Line, Bucket) {
    person.write("video.mp4", &file());
    let line = Line::to_address(bucket.address(), STOP);
    let slow = bucket.by_way_of(line.address());
    person.settings(slow.environment());
    let client = person.start(&[&["put"], &order("video.mp4", &slow.url("video.mp4"))[..]].concat());
    line.wait_until_stopped();
    client.kill();
    line.pass_on(usize::MAX);
    (line, slow)
}

#[track_caller]
fn assert_went_on(bucket: &Bucket, line: &Line, ended: &serde_json::Value) {
    bucket.assert_holds("video.mp4", &file());
    assert!(count(ended, "kept_bytes") >= PART, "{ended}");
    let passed_bytes = line.passed_bytes();
    assert!(passed_bytes <= file().len() + UNDER_WAY + HEADS, "{passed_bytes}");
    assert_eq!(bucket.uploads_under_way(), 0);
}

#[test]
fn the_same_command_goes_on_after_a_kill() {
    for bucket in Bucket::both() {
        let mut person = Person::new();
        let (line, slow) = killed(&bucket, &mut person);
        let ended = person.put(&order("video.mp4", &slow.url("video.mp4")));
        assert_went_on(&bucket, &line, &ended);
    }
}

#[test]
fn another_machine_goes_on_by_what_the_store_says() {
    for bucket in Bucket::both() {
        let (line, slow) = killed(&bucket, &mut Person::new());
        let other = Person::with(slow.environment());
        let copy = other.write("a copy", &file());
        let ended = other.put(&order(text(&copy), &slow.url("video.mp4")));
        assert_went_on(&bucket, &line, &ended);
    }
}

#[test]
fn a_server_of_ours_takes_it_as_every_s3_does() {
    let (stage, mut person) =
        (Stage::with(&["--s3-door-access-key=AKIATESTS", "--s3-door-secret-key=secret/+="]), Person::new());
    person.settings([
        ("AWS_ACCESS_KEY_ID", "AKIATESTS"),
        ("AWS_SECRET_ACCESS_KEY", "secret/+="),
        ("AWS_ENDPOINT_URL", &stage.url()),
    ]);
    person.write("video.mp4", &file());
    let ended = person.put(&order("video.mp4", "s3://towline/video.mp4"));
    stage.assert_arrived("video.mp4", &file());
    assert_eq!(count(&ended, "sent_bytes"), file().len());
    assert_eq!(stage.unfinished(), 0);
}
