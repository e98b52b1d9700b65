//! Servers that take a connection and never answer.

use std::fs;
use std::net::TcpListener;

use super::desk::Desk;
use crate::support::House;

#[test]
fn a_silent_server_hides_nobody_elses_answer() {
    let house = House::start(&["--part-size", "1MiB"]);
    let ours = format!("http://{}", house.server.address());
    // The system takes its connections; nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = format!("http://{}", silent.local_addr().unwrap());
    let desk = Desk::new(&[]);
    desk.file("video.mp4", 4 << 20);
    assert_eq!(desk.run(&["put", "video.mp4", "--simulate-failure", "0.5", &ours]).code, Some(1));
    let journal = desk.home().join(".local/state/towline");
    let entries = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let entry = entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    let known = fs::read_to_string(&entry).unwrap().replace(&ours, &theirs);
    fs::write(journal.join("0123456789abcdef0123456789abcdef.json"), known).unwrap();

    let ended = desk.run(&["status", "--all"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.out.contains(" open     2/4 "), "{}", ended.out);
    assert!(ended.out.contains(" unknown  ?/? "), "{}", ended.out);
    let warning = format!("): {theirs} has not answered within 10 s\n");
    assert!(ended.err.starts_with("warning: ") && ended.err.ends_with(&warning), "{}", ended.err);
    assert!(ended.err.contains("video.mp4 (upload "), "{}", ended.err);
}
