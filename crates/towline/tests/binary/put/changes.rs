//! A file that does not stay as it is: what is under the key is always one file as it once was, whole.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::stage::{Chaos, MIB, Person, Stage, count, refused};
use crate::support::noise;

fn file() -> Vec<u8> {
    noise(431, 10 * MIB)
}

fn order(url: &str) -> [&str; 3] {
    ["--part-size=1MiB", "file.bin", url]
}

#[track_caller]
fn break_off(person: &Person, url: &str) {
    refused(person.run(&[&["put", "--simulate-failure=0.6"][..], &order(url)].concat()));
}

#[test]
fn of_a_landed_part_that_is_another_now_only_that_is_sent_again() {
    let (stage, person) = (Stage::new(), Person::new());
    let mut file = file();
    person.write("file.bin", &file);
    break_off(&person, &stage.url());
    file[2 * MIB + 70_000] ^= 1;
    person.write("file.bin", &file);
    let ended = person.put(&order(&stage.url()));
    assert_eq!((count(&ended, "kept_bytes"), count(&ended, "sent_bytes")), (5 * MIB, 5 * MIB));
    stage.assert_arrived("file.bin", &file);
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_file_of_another_size_is_a_new_upload_and_the_old_one_is_given_up() {
    for size in [9 * MIB + 1, 10 * MIB - 1, 11 * MIB, 100] {
        let (stage, person) = (Stage::new(), Person::new());
        person.write("file.bin", &file());
        break_off(&person, &stage.url());
        assert_eq!(stage.unfinished(), 1);
        let other = noise(431, size);
        person.write("file.bin", &other);
        person.put(&order(&stage.url()));
        stage.assert_arrived("file.bin", &other);
        assert_eq!(stage.unfinished(), 0, "{size}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused_and_sent_as_it_is_by_the_next_try() {
    let append: fn(&Path) = |path| write(path, 10 * MIB as u64, &[1]);
    let change: fn(&Path) = |path| write(path, 5 * MIB as u64, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let cut: fn(&Path) =
        |path| OpenOptions::new().write(true).open(path).unwrap().set_len(9 * MIB as u64 + 5).unwrap();
    for (what, change) in [("append", append), ("change", change), ("cut", cut)] {
        let (stage, person) = (Stage::new(), Person::new());
        let path = person.write("file.bin", &file());
        let chaos = Chaos::start(&stage.url(), &["--rate=20mbit"]);
        let mut client = person.start(&[&["put", "--json", "--workers=4"][..], &order(chaos.url())].concat());
        client.wait_for_parts(2);
        change(&path);
        let said = refused(client.end());
        assert!(said.contains(" while it was read"), "{what}: {said}");
        assert!(!stage.path_of("file.bin").exists(), "{what}");
        person.put(&order(&stage.url()));
        stage.assert_arrived("file.bin", &fs::read(&path).unwrap());
    }
}

#[test]
fn a_file_that_is_replaced_by_another_one_arrives_as_one_of_them() {
    let (stage, person) = (Stage::new(), Person::new());
    let path = person.write("file.bin", &file());
    let other = noise(432, 10 * MIB);
    person.write("other.bin", &other);
    let chaos = Chaos::start(&stage.url(), &["--rate=20mbit"]);
    let mut client = person.start(&[&["put", "--json"][..], &order(chaos.url())].concat());
    client.wait_for_parts(2);
    #[expect(clippy::disallowed_methods, reason = "somebody replaces the file")]
    fs::rename(person.path("other.bin"), &path).unwrap();
    let ended = client.end();
    if ended.code == Some(0) {
        stage.assert_arrived("file.bin", &file());
    } else {
        refused(ended);
        assert!(!stage.path_of("file.bin").exists());
    }
    person.put(&order(chaos.url()));
    stage.assert_arrived("file.bin", &other);
}

#[test]
fn an_unfinished_upload_leaves_what_is_under_its_key() {
    let (stage, person) = (Stage::new(), Person::new());
    let earlier = noise(433, 3 * MIB);
    person.write("file.bin", &earlier);
    person.put(&order(&stage.url()));
    person.write("file.bin", &file());
    break_off(&person, &stage.url());
    stage.assert_arrived("file.bin", &earlier);
    person.put(&order(&stage.url()));
    stage.assert_arrived("file.bin", &file());
}

fn write(path: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}
