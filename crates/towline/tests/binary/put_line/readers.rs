//! What the commands write goes to somebody who may not read it, not now or not at all: files go up all the same.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use super::desk::Desk;
use crate::support::House;

/// Their events are several times what a pipe takes.
const FILES: usize = 500;

fn house_and_desk() -> (House, Desk) {
    let house = House::start(&[]);
    let server = format!("http://{}", house.server.address());
    let desk = Desk::new(&[("TOWLINE_SERVER", &server)]);
    for number in 0..FILES {
        desk.file(&format!("photos/{number}.jpg"), 100 + number);
    }
    (house, desk)
}

#[track_caller]
fn check_stored(house: House, desk: &Desk) {
    for number in 0..FILES {
        let name = format!("photos/{number}.jpg");
        let stored = fs::read(house.data.path().join("completed").join(&name)).unwrap();
        assert!(stored == fs::read(desk.path().join(&name)).unwrap(), "{name}");
    }
    house.check();
}

#[test]
fn a_reader_that_never_reads_does_not_hold_files_up() {
    let (house, desk) = house_and_desk();
    let mut child = desk.command(&["put", "-r", "photos", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut unread = child.stdout.take().unwrap();
    // The end of the program is waited for, without a byte read before.
    assert_eq!(child.wait().unwrap().code(), Some(0));
    check_stored(house, &desk);
    let mut text = String::new();
    unread.read_to_string(&mut text).unwrap();
    // The pipe was full indeed: the last event found no room.
    assert!(text.starts_with('{') && !text.contains("\"event\":\"end\""), "{} bytes", text.len());
}

#[test]
fn people_who_do_not_read_do_not_hold_files_up_either() {
    let (house, desk) = house_and_desk();
    let mut child =
        desk.command(&["put", "-r", "photos"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Both stay open, and full at most.
    let unread = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    check_stored(house, &desk);
    drop(unread);
}

#[test]
fn a_reader_that_is_late_hears_how_each_file_ended() {
    let (house, desk) = house_and_desk();
    let mut child = desk.command(&["put", "-r", "photos", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let late = child.stdout.take().unwrap();
    // Somebody else sees that all is there; only then the reader begins.
    let last = format!("/download/photos/{}.jpg", FILES - 1);
    while house.server.get(&last).status != 200 {}
    let events: Vec<Value> =
        BufReader::new(late).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("began"), count("done"), count("end")), (FILES, FILES, 1));
    assert_eq!(events.last().unwrap()["done"], FILES);
    check_stored(house, &desk);
}

#[test]
fn data_that_cannot_be_written_is_told_and_the_file_is_up() {
    let (house, desk) = house_and_desk();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["put", "-r", "photos", "--json"]).stdout(full()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("warning: cannot write to standard output: No space left on device"), "{said}");
    check_stored(house, &desk);
}

#[test]
fn people_are_told_once_that_nothing_can_be_written() {
    let (house, desk) = house_and_desk();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["put", "-r", "photos"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("cannot write to standard output").count(), 1, "{said}");
    check_stored(house, &desk);
}
