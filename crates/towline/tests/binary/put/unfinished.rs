//! What is on its way: seen, listed, given up, and not sent by two at once.

use serde_json::Value;

use super::stage::{MIB, Person, Stage, refused, url_of};
use crate::s3_store::bucket::Bucket;
use crate::support::{Line, noise};

#[track_caller]
fn break_off(person: &Person, url: &str) -> String {
    let order = ["put", "--json", "--part-size=5MiB", "--simulate-failure=0.6", "video.mp4", url];
    let ended = person.run(&order);
    let began = ended.out.lines().find(|line| line.contains(r#""event":"began""#));
    let began: Value = serde_json::from_str(began.unwrap_or_else(|| panic!("{}", ended.err))).unwrap();
    refused(ended);
    began["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn json(person: &Person, arguments: &[&str]) -> Vec<Value> {
    let ended = person.run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.err);
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where an upload can be looked for, and how its place is written.
#[track_caller]
fn is_seen_and_given_up(person: &Person, (url, folder): (&str, &str)) {
    person.write("video.mp4", &noise(461, 21 * MIB));
    let id = break_off(person, url);
    let status = json(person, &["status", "--json", &id[..8]]);
    assert_eq!(status.len(), 1);
    let status = &status[0];
    assert_eq!((&status["id"], &status["status"]), (&id.as_str().into(), &"open".into()));
    assert_eq!((&status["landed_parts"], &status["total_parts"]), (&3.into(), &5.into()), "{status}");
    assert_eq!(json(person, &["status", "--json", "--all"]).len(), 1);
    let listed = json(person, &["ls", "--json", folder]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["id"], id);
    assert_eq!(person.run(&["abort", &id[..8]]).code, Some(0));
    assert_eq!(json(person, &["ls", "--json", folder]), Vec::<Value>::new());
    assert_eq!(json(person, &["status", "--json", "--all"]), Vec::<Value>::new());
    // Nothing of it keeps the same command from beginning anew.
    person.put(&["--part-size=5MiB", "video.mp4", url]);
}

#[test]
fn an_upload_to_a_server_is_seen_and_given_up() {
    let (stage, person) = (Stage::new(), Person::new());
    is_seen_and_given_up(&person, (&stage.url(), &stage.url()));
    stage.assert_arrived("video.mp4", &noise(461, 21 * MIB));
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn an_upload_to_a_bucket_is_seen_and_given_up() {
    for bucket in Bucket::both() {
        let person = Person::with(bucket.environment());
        is_seen_and_given_up(&person, (&bucket.url("video.mp4"), &bucket.url("")));
        bucket.assert_holds("video.mp4", &noise(461, 21 * MIB));
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn a_second_one_who_sends_the_same_file_is_told_so() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &noise(462, 6 * MIB));
    let line = Line::to(&stage.server, 2 * MIB);
    let url = url_of(line.address());
    let first = person.start(&["put", "--part-size=1MiB", "video.mp4", &url]);
    line.wait_until_stopped();
    let said = person.refused(&["put", "--part-size=1MiB", "video.mp4", &url]);
    assert!(said.contains("another towline sends this file already"), "{said}");
    first.kill();
    // With the process goes its lock.
    line.pass_on(usize::MAX);
    person.put(&["--part-size=1MiB", "video.mp4", &url]);
    stage.assert_arrived("video.mp4", &noise(462, 6 * MIB));
}
