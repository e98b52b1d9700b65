//! SIGKILL of either end in the middle of a part: what has landed stays, and only the rest is sent.

use super::stage::{HEADS, MIB, Person, Stage, count, done, text, url_of};
use crate::support::{Line, noise};

const PART: usize = MIB;
const WORKERS: usize = 4;
/// Where the line stops, in the middle of a part.
const STOP: usize = 7 * MIB + 300_000;
/// What may be sent twice: the parts that were on their way at the kill.
const UNDER_WAY: usize = WORKERS * PART;

fn file() -> Vec<u8> {
    noise(411, 14 * MIB + 4321)
}

fn order<'a>(path: &'a str, url: &'a str) -> [&'a str; 7] {
    ["put", "--json", "--part-size=1MiB", "--workers=4", "--key=video.mp4", path, url]
}

#[test]
fn the_same_command_goes_on_after_a_kill() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let line = Line::to(&stage.server, STOP);
    let url = url_of(line.address());
    let client = person.start(&order("video.mp4", &url));
    line.wait_until_stopped();
    client.kill();
    assert!(!stage.path_of("video.mp4").exists());
    line.pass_on(usize::MAX);
    let ended = done(&person.run(&order("video.mp4", &url)));
    stage.assert_arrived("video.mp4", &file());
    assert!(count(&ended, "kept_bytes") >= STOP - UNDER_WAY - 2 * PART, "{ended}");
    let passed_bytes = line.passed_bytes();
    assert!(passed_bytes <= file().len() + UNDER_WAY + HEADS, "{passed_bytes}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn whoever_has_the_file_goes_on_and_needs_to_remember_nothing() {
    let (stage, person, other) = (Stage::new(), Person::new(), Person::new());
    let path = person.write("video.mp4", &file());
    let line = Line::to(&stage.server, STOP);
    let url = url_of(line.address());
    let client = person.start(&order(text(&path), &url));
    line.wait_until_stopped();
    client.kill();
    line.pass_on(usize::MAX);
    other.write("a copy of it", &file());
    let ended = done(&other.run(&order("a copy of it", &url)));
    stage.assert_arrived("video.mp4", &file());
    assert!(count(&ended, "kept_bytes") >= STOP - UNDER_WAY - 2 * PART, "{ended}");
    let passed_bytes = line.passed_bytes();
    assert!(passed_bytes <= file().len() + UNDER_WAY + HEADS, "{passed_bytes}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn many_kills_cost_no_more_than_what_was_on_its_way() {
    let (stage, person) = (Stage::new(), Person::new());
    let file = noise(412, 24 * MIB);
    person.write("video.mp4", &file);
    let line = Line::to(&stage.server, 0);
    let url = url_of(line.address());
    let kills = 3;
    for _ in 0..kills {
        // Enough for some parts to land, and three times less than all.
        line.pass_on(UNDER_WAY + PART + 300_000);
        let client = person.start(&order("video.mp4", &url));
        line.wait_until_stopped();
        client.kill();
    }
    line.pass_on(usize::MAX);
    done(&person.run(&order("video.mp4", &url)));
    stage.assert_arrived("video.mp4", &file);
    let passed_bytes = line.passed_bytes();
    assert!(passed_bytes <= file.len() + kills * UNDER_WAY + HEADS, "{passed_bytes}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_client_goes_on_by_itself_when_its_server_comes_back() {
    let (mut stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let line = Line::to(&stage.server, STOP);
    let client = person.start(&order("video.mp4", &url_of(line.address())));
    line.wait_until_stopped();
    stage.kill();
    line.pass_on(usize::MAX);
    stage.start_again();
    let ended = done(&client.end());
    stage.assert_arrived("video.mp4", &file());
    assert!(count(&ended, "retries") > 0, "{ended}");
    let passed_bytes = line.passed_bytes();
    // What landed in the last moment may not have been answered any more.
    assert!(passed_bytes <= file().len() + 2 * UNDER_WAY + HEADS, "{passed_bytes}");
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_file_that_was_finished_before_the_kill_is_not_sent_again() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("video.mp4", &file());
    let line = Line::to(&stage.server, usize::MAX);
    let url = url_of(line.address());
    let broken = person.run(&[&order("video.mp4", &url)[..], &["--simulate-failure=0.99"]].concat());
    let began = broken.out.lines().find(|line| line.contains(r#""event":"began""#)).unwrap();
    let began: serde_json::Value = serde_json::from_str(began).unwrap();
    let id = began["id"].as_str().unwrap();
    // The rest by somebody else, who does not tell the journal: as if the kill came after the end.
    let other = Person::new();
    other.write("video.mp4", &file());
    done(&other.run(&order("video.mp4", &url)));
    let passed_bytes = line.passed_bytes();
    let ended = done(&person.run(&order("video.mp4", &url)));
    assert_eq!(count(&ended, "sent_bytes"), 0, "{ended} of {id}");
    assert!(line.passed_bytes() <= passed_bytes + HEADS);
    stage.assert_arrived("video.mp4", &file());
}
