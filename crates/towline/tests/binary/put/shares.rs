//! Breaking off on purpose, and going on in every way there is: nothing is sent twice.

use serde_json::Value;

use super::stage::{Chaos, MIB, Person, Stage, count, done, refused, text, up_bytes};
use crate::support::noise;

fn file() -> Vec<u8> {
    noise(421, 20 * MIB + 99)
}

/// Sends nine tenths; gives the id of the upload.
#[track_caller]
fn break_off(person: &Person, url: &str) -> String {
    let order = ["put", "--json", "--part-size=1MiB", "--simulate-failure=0.9", "video.mp4", url];
    let ended = person.run(&order);
    refused_on_purpose(&ended.err);
    let lines = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let began = lines.into_iter().find(|line| line["event"] == "began").unwrap();
    let id = began["id"].as_str().unwrap().to_owned();
    let said = refused(ended);
    assert!(said.contains(&format!("towline resume {id}")), "{said}");
    id
}

#[track_caller]
fn refused_on_purpose(said: &str) {
    assert!(said.contains("error: broken off on purpose: "), "{said}");
}

/// All of it together was at most 1.02 times the file.
#[track_caller]
fn assert_once(stage: &Stage, chaos: Chaos, ended: &Value) {
    stage.assert_arrived("video.mp4", &file());
    let (kept, sent) = (count(ended, "kept_bytes"), count(ended, "sent_bytes"));
    assert_eq!(kept + sent, file().len(), "{ended}");
    assert!(kept >= file().len() * 85 / 100, "{ended}");
    let up = up_bytes(&chaos.end());
    assert!(up <= file().len() * 102 / 100, "{up} of {}", file().len());
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn the_same_command_sends_the_rest() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let chaos = Chaos::start(&stage.url(), &[]);
    break_off(&person, chaos.url());
    let ended = person.put(&["--part-size=1MiB", "video.mp4", chaos.url()]);
    assert_once(&stage, chaos, &ended);
}

#[test]
fn resume_needs_only_the_id() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let chaos = Chaos::start(&stage.url(), &[]);
    let id = break_off(&person, chaos.url());
    let ended = done(&person.run(&["resume", "--json", &id[..8]]));
    assert_once(&stage, chaos, &ended);
    refused(person.run(&["resume", &id]));
}

#[test]
fn put_goes_on_with_the_upload_that_it_is_told() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let chaos = Chaos::start(&stage.url(), &[]);
    let id = break_off(&person, chaos.url());
    let ended = person.put(&["--resume", &id, "video.mp4", chaos.url()]);
    assert_once(&stage, chaos, &ended);
}

#[test]
fn another_machine_resumes_with_the_file_and_the_place() {
    let (stage, person, other) = (Stage::new(), Person::new(), Person::new());
    person.write("video.mp4", &file());
    let chaos = Chaos::start(&stage.url(), &[]);
    let id = break_off(&person, chaos.url());
    let copy = other.write("a copy", &file());
    let said = other.refused(&["resume", &id]);
    assert!(said.contains("hint: "), "{said}");
    let ended = done(&other.run(&["resume", "--json", &id, "--file", text(&copy), "--to", chaos.url()]));
    assert_once(&stage, chaos, &ended);
}
