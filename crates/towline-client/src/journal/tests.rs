//! An errand is found again, driven by one, and never believed when it is damaged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::*;

fn errand(key: &str) -> Errand {
    Errand { remote: "https://up.example".into(), key: key.into(), path: Some("/videos/a.mp4".into()) }
}

fn entry(key: &str, id: &str, begun_at: i64) -> Entry {
    Entry {
        ticket: Ticket::new(id, key),
        errand: errand(key),
        place: json!({ "server": "https://up.example" }),
        total_bytes: Some(u64::MAX),
        begun_at: Timestamp::from_millis(begun_at),
    }
}

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().join("state/towline")).unwrap();
    (folder, journal)
}

#[test]
fn an_errand_is_found_as_it_was_written() {
    let (folder, journal) = journal();
    let first = entry("a", "id-of-the-first", 1);
    journal.write(&first).unwrap();
    let again = Entry { total_bytes: Some(9), ..first };
    journal.write(&again).unwrap();
    assert_eq!(Journal::open(folder.path().join("state/towline")).unwrap().find(&errand("a")), Some(again));
    assert_eq!(journal.find(&errand("b")), None);
    assert_eq!(journal.find(&Errand { path: None, ..errand("a") }), None);
    journal.remove(&errand("a")).unwrap();
    journal.remove(&errand("a")).unwrap();
    assert_eq!(journal.find(&errand("a")), None);
    assert_eq!(journal.entries().unwrap(), Listing::default());
}

#[test]
fn nobody_else_can_look_into_it() {
    let (folder, journal) = journal();
    journal.write(&entry("a", "1", 1)).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("state/towline")), 0o700);
    assert_eq!(mode(&journal.path_of(&errand("a"))), 0o600);
}

#[test]
fn a_damaged_entry_is_left_alone_and_told() {
    let (_folder, journal) = journal();
    journal.write(&entry("a", "1", 1)).unwrap();
    journal.write(&entry("b", "2", 2)).unwrap();
    journal.write(&entry("c", "3", 3)).unwrap();
    let damaged = journal.path_of(&errand("b"));
    let text = fs::read(&damaged).unwrap();
    fs::write(&damaged, &text[..text.len() / 2]).unwrap();
    fs::write(journal.folder.join("half.json.new"), b"{").unwrap();
    assert_eq!(journal.find(&errand("b")), None);
    let listing = journal.entries().unwrap();
    assert_eq!(listing.entries, [entry("c", "3", 3), entry("a", "1", 1)]);
    assert_eq!(listing.unreadable, [damaged]);
}

#[test]
fn an_entry_of_another_errand_under_its_name_is_not_believed() {
    let (_folder, journal) = journal();
    journal.write(&entry("a", "1", 1)).unwrap();
    fs::copy(journal.path_of(&errand("a")), journal.path_of(&errand("b"))).unwrap();
    assert_eq!(journal.find(&errand("b")), None);
}

#[test]
fn an_upload_is_meant_by_its_id_or_by_the_first_eight_characters() {
    let (_folder, journal) = journal();
    for (key, id) in [("a", "0123456789"), ("b", "01234567"), ("c", "012345678-"), ("d", "0123456789")] {
        journal.write(&entry(key, id, 1)).unwrap();
    }
    let keys = |id: &str| {
        let mut keys: Vec<_> = journal.by_id(id).unwrap().into_iter().map(|entry| entry.errand.key).collect();
        keys.sort();
        keys.concat()
    };
    for (id, expected) in [
        ("0123456789", "ad"),
        ("01234567", "b"),
        ("012345678", "acd"),
        ("012345678-", "c"),
        ("0123456", ""),
        ("", ""),
        ("012345678x", ""),
    ] {
        assert_eq!(keys(id), expected, "{id}");
    }
}

#[test]
fn one_at_a_time_has_an_errand() {
    let (_folder, journal) = journal();
    let hold = journal.hold(&errand("a")).unwrap();
    journal.hold(&errand("b")).unwrap();
    let refused = journal.hold(&errand("a")).unwrap_err();
    assert_eq!(refused, NoHold::Busy { pid: Some(std::process::id()) });
    drop(hold);
    journal.hold(&errand("a")).unwrap();
    assert_eq!(fs::read_dir(&journal.folder).unwrap().count(), 0);
}

#[test]
fn a_name_that_comes_and_goes_is_never_had_twice() {
    let (_folder, journal) = journal();
    let path = journal.folder.join("lock");
    let is_taken = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let Alone::Ours(_lock) = open_alone(&path, 0o600).unwrap() else { continue };
                    assert!(!is_taken.swap(true, Ordering::SeqCst), "two have it");
                    is_taken.store(false, Ordering::SeqCst);
                    fs::remove_file(&path).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_lock_that_a_dead_process_left_behind_stops_nobody() {
    let (_folder, journal) = journal();
    fs::write(journal.folder.join(format!("{}.lock", errand("a").stem())), b"4711000").unwrap();
    journal.hold(&errand("a")).unwrap();
}

#[test]
fn what_cannot_be_written_is_an_error_and_nothing_else() {
    let (folder, journal) = journal();
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    assert!(journal.write(&entry("a", "1", 1)).unwrap_err().what.starts_with("writing "));
    assert!(matches!(journal.hold(&errand("a")), Err(NoHold::Broken(_))));
    assert_eq!(journal.find(&errand("a")), None);
    journal.remove(&errand("a")).unwrap();
    fs::write(folder.path().join("state"), b"a file").unwrap();
    assert!(Journal::open(folder.path().join("state/towline")).is_err());
}
