//! Uploads and downloads with a server, from the first byte to the last, with breaks in between.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::desk::{Desk, event};
use crate::support::{House, towline};

const MIB: usize = 1024 * 1024;

fn house_and_desk() -> (House, Desk) {
    let house = House::start(&["--part-size", "1MiB"]);
    let server = format!("http://{}", house.server.address());
    let desk = Desk::new(&[("TOWLINE_SERVER", &server)]);
    (house, desk)
}

fn stored(house: &House, key: &str) -> Vec<u8> {
    fs::read(house.data.path().join("completed").join(key)).unwrap()
}

#[test]
fn a_file_goes_up_is_verified_and_comes_back() {
    let (house, desk) = house_and_desk();
    let file = desk.file("video.mp4", 5 * MIB + 17);
    let told = desk.ok(&["put", "video.mp4", "--meta", "camera=7"]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "video.mp4 -> video.mp4");
    assert!(lines[1].starts_with("  5.0 MiB in ") && lines[1].ends_with("; 6 parts; no retries"), "{told}");
    assert!(
        lines[2].starts_with("  CRC-64/NVME ") && lines[2].ends_with(", the server vouches for it"),
        "{told}"
    );
    assert_eq!(lines[3], format!("  http://{}/download/video.mp4", house.server.address()));
    assert_eq!(stored(&house, "video.mp4"), file);
    assert_eq!(house.server.get("/download/video.mp4").header("content-type"), Some("video/mp4"));

    assert!(desk.ok(&["verify", "video.mp4"]).starts_with("video.mp4 is stored as video.mp4 at "));
    let told = desk.ok(&["get", "video.mp4", "copy.mp4"]);
    assert!(told.starts_with("video.mp4 -> "), "{told}");
    assert_eq!(fs::read(desk.path().join("copy.mp4")).unwrap(), file);
    // A stranger's URL of a Towline server is checked, too.
    let url = format!("http://{}/download/video.mp4", house.server.address());
    let told = Desk::new(&[]).ok(&["get", &url]);
    assert!(told.contains(", as the other end says"), "{told}");
    let output = desk.command(&["get", "video.mp4", "-"]).output().unwrap();
    assert_eq!(output.stdout, file);

    desk.file("video.mp4", 5 * MIB + 18);
    let ended = desk.run(&["verify", "video.mp4"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert!(ended.err.contains("video.mp4 differs from video.mp4"), "{}", ended.err);
    house.check();
}

#[test]
fn what_broke_off_goes_on_by_itself_by_its_id_and_from_another_machine() {
    let (house, desk) = house_and_desk();
    let file = desk.file("video.mp4", 10 * MIB);
    let broken = desk.run(&["put", "video.mp4", "--simulate-failure", "0.6"]);
    assert_eq!(broken.code, Some(1));
    assert!(
        broken.err.contains("broken off on purpose: 6.0 MiB of 10.0 MiB (60%) are there"),
        "{}",
        broken.err
    );
    let hint = broken.err.lines().find(|line| line.starts_with("hint: go on with: towline resume ")).unwrap();

    let known = desk.events(&["status", "--all"], 0).remove(0);
    let id = known["id"].as_str().unwrap().to_owned();
    assert!(hint.contains(&id), "{hint}");
    assert_eq!(known["status"], "open");
    assert_eq!((&known["landed_parts"], &known["total_parts"]), (&json!(6), &json!(10)));
    assert_eq!(known["file"], desk.path().join("video.mp4").to_str().unwrap());
    assert!(desk.ok(&["status", &id[..8]]).contains(" open    6/10 "), "{}", desk.ok(&["status", &id[..8]]));
    assert!(desk.ok(&["ls"]).contains(&id));
    assert!(desk.ok(&["put", "video.mp4", "--dry-run"]).contains(&format!("goes on with {id}")));

    // Eight characters of the id are enough on this machine.
    let events = desk.events(&["resume", &id[..8], "--workers", "2"], 0);
    assert_eq!(event(&events, "began")["is_resumed"], true);
    let done = event(&events, "done");
    assert_eq!((&done["kept_bytes"], &done["sent_bytes"]), (&json!(6 * MIB), &json!(4 * MIB)));
    assert_eq!(stored(&house, "video.mp4"), file);
    assert_eq!(desk.ok(&["status", "--all"]).lines().count(), 1);

    // Another machine finds it by its content.
    let again = desk.run(&["put", "video.mp4", "--key", "again.mp4", "--simulate-failure", "0.5"]);
    assert_eq!(again.code, Some(1));
    let desk = desk.elsewhere();
    let events = desk.events(&["put", "video.mp4", "--key", "again.mp4"], 0);
    assert_eq!(event(&events, "done")["kept_bytes"], 5 * MIB);
    assert_eq!(stored(&house, "again.mp4"), file);
    house.check();
}

#[test]
fn put_goes_on_with_the_upload_it_is_told() {
    let (house, desk) = house_and_desk();
    let file = desk.file("video.mp4", 4 * MIB);
    let events = desk.events(&["put", "video.mp4", "--simulate-failure", "0.5"], 1);
    let id = event(&events, "began")["id"].as_str().unwrap().to_owned();
    assert_eq!(event(&events, "end")["failed"], 1);
    // From another machine: nothing is remembered, and the id says it all.
    let desk = desk.elsewhere();
    let other = desk.run(&["put", "--resume", &id, "video.mp4", "--key", "other.mp4"]);
    let told = format!("error: upload {id} is of \"video.mp4\", and not of \"other.mp4\"\nhint: ");
    assert!(other.code == Some(2) && other.err.starts_with(&told), "{}", other.err);
    // A file that is called something else here is still the upload's.
    fs::copy(desk.path().join("video.mp4"), desk.path().join("copy.mp4")).unwrap();
    let events = desk.events(&["put", "--resume", &id, "copy.mp4"], 0);
    let done = event(&events, "done");
    assert_eq!((&done["kept_bytes"], &done["key"]), (&json!(2 * MIB), &json!("video.mp4")));
    assert!(done["location"].as_str().unwrap().ends_with("/download/video.mp4"), "{done}");
    assert_eq!(stored(&house, "video.mp4"), file);
    house.check();
}

#[test]
fn an_upload_that_is_given_up_is_gone_and_forgotten() {
    let (house, desk) = house_and_desk();
    desk.file("video.mp4", 4 * MIB);
    let events = desk.events(&["put", "video.mp4", "--simulate-failure", "0.5"], 1);
    let id = event(&events, "began")["id"].as_str().unwrap();
    let given_up = desk.run(&["abort", id]);
    assert_eq!((given_up.code, given_up.out.as_str()), (Some(0), ""));
    assert_eq!(given_up.err, format!("Upload {id} is given up; what had landed is not kept.\n"));
    let status = desk.run(&["status", id]);
    assert_eq!(status.code, Some(1));
    assert!(status.out.contains(" gone "), "{}", status.out);
    assert_eq!(desk.ok(&["ls"]).lines().count(), 1);
    let events = desk.events(&["put", "video.mp4"], 0);
    assert_eq!(event(&events, "done")["kept_bytes"], 0);
    house.check();
}

#[test]
fn folders_and_patterns_go_up_under_their_names() {
    let (house, desk) = house_and_desk();
    let a = desk.file("photos/2024/a.jpg", 3000);
    let b = desk.file("photos/b ü.jpg", 2 * MIB);
    let empty = desk.file("photos/empty.txt", 0);
    let plan = desk.run(&["put", "-r", "photos", "--dry-run", "--key", "all/"]);
    assert_eq!(
        plan.out.lines().skip(1).map(|line| line.rsplit("  ").next().unwrap()).collect::<Vec<_>>(),
        ["all/photos/2024/a.jpg", "all/photos/b ü.jpg", "all/photos/empty.txt"]
    );
    assert!(plan.err.starts_with("3 files, 2.0 MiB would go to "), "{}", plan.err);
    assert!(!house.data.path().join("completed/all").exists());

    let told = desk.ok(&["put", "-r", "photos", "--key", "all/"]);
    assert_eq!(told.lines().count(), 4);
    assert!(told.lines().last().unwrap().starts_with("3 files, 2.0 MiB in "), "{told}");
    for (key, content) in [("2024/a.jpg", &a), ("b ü.jpg", &b), ("empty.txt", &empty)] {
        assert_eq!(&stored(&house, &format!("all/photos/{key}")), content);
    }
    desk.ok(&["put", "photos/*.jpg", "--quiet"]);
    assert_eq!(stored(&house, "b ü.jpg"), b);
    house.check();
}

#[test]
fn one_file_that_fails_does_not_stop_the_others() {
    let house = House::start(&["--existing", "refuse"]);
    let server = format!("http://{}", house.server.address());
    let desk = Desk::new(&[("TOWLINE_SERVER", &server)]);
    let a = desk.file("a.txt", 10);
    let b = desk.file("b.txt", 20);
    desk.ok(&["put", "b.txt"]);
    desk.file("b.txt", 30);
    let ended = desk.run(&["put", "b.txt", "a.txt"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("error: b.txt: "), "{}", ended.err);
    assert!(ended.out.lines().last().unwrap().starts_with("1 of 2 files, 10 B in "), "{}", ended.out);
    assert!(ended.out.trim_end().ends_with("; 1 failed"), "{}", ended.out);
    assert_eq!((stored(&house, "a.txt"), stored(&house, "b.txt")), (a, b));
    house.check();
}

#[test]
fn standard_input_goes_up_whatever_its_length() {
    let (house, desk) = house_and_desk();
    for bytes in [0, 1000, 40 * MIB] {
        let content = crate::support::noise(7, bytes);
        let key = format!("stream-{bytes}");
        let mut child = desk
            .command(&["put", "-", "--key", &key, "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&content).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
        assert_eq!(stored(&house, &key), content);
    }
    house.check();
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let (house, desk) = house_and_desk();
    // Its end never comes: the upload is under way for as long as the test wants.
    let mut child = desk
        .command(&["put", "-", "--key", "endless", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[7; 100]).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let began: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(began["event"], "began");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let last: Value = serde_json::from_str(&lines.map_while(Result::ok).last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["is_interrupted"]), (&json!("end"), &json!(true)));
    let output = child.wait_with_output().unwrap();
    let id = began["id"].as_str().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(
        said,
        format!(
            "interrupted\n  standard input is on its way as upload {id}\n\
             hint: run the same command again: what has landed is not sent again\n"
        )
    );
    drop(stdin);
    desk.ok(&["put", "-", "--key", "endless", "--quiet"]);
    assert_eq!(stored(&house, "endless"), b"");
    house.check();
}

#[test]
fn two_that_send_the_same_file_at_once_are_told() {
    let (house, desk) = house_and_desk();
    let mut first = desk
        .command(&["put", "-", "--key", "k", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let second = desk.run(&["put", "-", "--key", "k"]);
    assert_eq!(second.code, Some(1));
    let pid = first.id();
    let expected = format!(
        "error: another towline sends this file already (process {pid})\nhint: wait for it, or end it first\n"
    );
    assert!(second.err.ends_with(&expected), "{}", second.err);
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    drop(lines);
    house.check();
}

#[test]
fn without_a_journal_nothing_is_written_at_home() {
    let (house, desk) = house_and_desk();
    desk.file("a.bin", 3 * MIB);
    let state = desk.path().join("state");
    let run = |more: &[&str]| {
        let arguments = [&["put", "a.bin", "--simulate-failure", "0.5", "--quiet"], more].concat();
        desk.command(&arguments).env("XDG_STATE_HOME", &state).output().unwrap()
    };
    run(&["--no-journal"]);
    assert!(!state.exists());
    run(&[]);
    assert_eq!(fs::read_dir(state.join("towline")).unwrap().count(), 1);
    house.check();
}

#[test]
fn ls_looks_at_the_server_of_the_settings_unless_a_folder_is_named() {
    let (house, desk) = house_and_desk();
    desk.file("a.bin", 4 * MIB);
    desk.events(&["put", "a.bin", "--simulate-failure", "0.5"], 1);
    let there = desk.events(&["ls"], 0);
    assert_eq!((&there[0]["key"], &there[0]["landed_parts"]), (&json!("a.bin"), &json!(2)));
    let data = house.data.path().to_str().unwrap();
    assert_eq!(desk.events(&["ls", "--data", data], 0)[0]["key"], "a.bin");
    let elsewhere = towline().args(["ls", &format!("http://{}", house.server.address())]).output().unwrap();
    assert!(String::from_utf8(elsewhere.stdout).unwrap().contains("a.bin"));
    house.check();
}
