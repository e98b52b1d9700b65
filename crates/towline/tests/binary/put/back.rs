//! Files that come back: by kills and cuts, never half under the final name; and whether what is there is the same.

use std::fs;

use super::stage::{Chaos, MIB, Person, Stage, count, done, refused};
use crate::support::noise;

const PIECE: usize = 8 * MIB;

#[test]
fn a_download_goes_on_after_a_kill_and_bears_its_name_when_it_is_whole() {
    let (stage, person) = (Stage::new(), Person::new());
    let file = noise(451, 4 * PIECE + 77);
    person.write("there.bin", &file);
    person.put(&["there.bin", &stage.url()]);
    let chaos = Chaos::start(&stage.url(), &["--rate=200mbit"]);
    let order = ["get", "--json", "--workers=1", "there.bin", "here.bin", "--server", chaos.url()];
    let mut client = person.start(&order);
    client.wait_for_parts(2);
    client.kill();
    assert!(!person.path("here.bin").exists());
    let ended = done(&person.run(&order));
    assert_eq!(person.read("here.bin"), file);
    assert!(count(&ended, "kept_bytes") >= 2 * PIECE, "{ended}");
    assert_eq!(count(&ended, "kept_bytes") + count(&ended, "received_bytes"), file.len());
    // Nothing but what belongs there is left.
    let mut names: Vec<_> =
        fs::read_dir(person.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name != ".local");
    names.sort();
    assert_eq!(names, ["here.bin", "there.bin"]);
}

#[test]
fn of_a_file_that_was_replaced_meanwhile_comes_the_new_one() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("a.bin", &noise(452, 4 * PIECE));
    person.put(&["a.bin", &stage.url()]);
    let chaos = Chaos::start(&stage.url(), &["--rate=200mbit"]);
    let order = ["get", "--json", "--workers=1", "a.bin", "here.bin", "--server", chaos.url()];
    let mut client = person.start(&order);
    client.wait_for_parts(1);
    let other = noise(453, 4 * PIECE);
    person.write("a.bin", &other);
    person.put(&["a.bin", &stage.url()]);
    done(&client.end());
    assert!(person.read("here.bin") == other);
}

#[test]
fn a_download_comes_whole_over_a_line_that_is_cut_again_and_again() {
    let (stage, person) = (Stage::new(), Person::new());
    let file = noise(454, 2 * PIECE + 1);
    person.write("there.bin", &file);
    person.put(&["there.bin", &stage.url()]);
    let chaos = Chaos::start(&stage.url(), &["--cut-every=3MiB", "--error-rate=10%", "--seed=5"]);
    done(&person.run(&["get", "--json", "there.bin", "here.bin", "--server", chaos.url()]));
    assert!(person.read("here.bin") == file);
    assert!(count(&chaos.end(), "cuts") > 0);
}

#[test]
fn verify_says_same_other_or_missing() {
    let (stage, person) = (Stage::new(), Person::new());
    let mut file = noise(455, MIB);
    person.write("a.bin", &file);
    person.put(&["a.bin", &stage.url()]);
    let verify = ["verify", "a.bin", &stage.url()];
    let same = person.run(&verify);
    assert_eq!((same.code, same.err.as_str()), (Some(0), ""));
    file[77] ^= 1;
    person.write("a.bin", &file);
    let said = refused(person.run(&verify));
    assert!(said.contains("differs"), "{said}");
    let said = refused(person.run(&["verify", "a.bin", "b.bin", &stage.url()]));
    assert!(said.contains("there is no b.bin"), "{said}");
}
