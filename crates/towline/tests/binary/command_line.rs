//! Help texts, and the commands that look into a data folder.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ended, Server, Upload, noise, run, towline};

#[test]
fn help_fits_a_screen_and_has_examples() {
    for command in ["serve", "ls", "sweep", "config", "token"] {
        insta::assert_snapshot!(format!("short_help_of_{command}"), help(&[command, "-h"]));
    }
    insta::assert_snapshot!("short_help", help(&["-h"]));
}

/// A help text is data.
fn help(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    ended.out
}

#[test]
fn the_long_help_of_serve_lists_every_setting() {
    insta::assert_snapshot!("long_help_of_serve", help(&["serve", "--help"]));
}

#[test]
fn version_completions_and_manual_are_data() {
    let version = format!("towline {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]).out, version);
    for (arguments, text) in [
        (&["completions", "bash"][..], "--allow-anonymous"),
        (&["completions", "zsh"], "#compdef towline"),
        (&["man"], ".TH towline 1"),
        (&["man", "serve"], "part\\-size"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.out.contains(text), "{arguments:?}");
    }
    assert_eq!(run(&["man", "nothing"]).code, Some(2));
    assert_eq!(run(&["fly"]).code, Some(2));
}

fn on(data: &Path, arguments: &[&str]) -> Ended {
    let output = towline().args(arguments).arg("--data").arg(data).output();
    Ended::from(output.unwrap())
}

#[test]
fn ls_shows_uploads_beside_a_running_server_with_names_made_safe() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let file = noise(1, 3000);
    let whole = Upload::begin(&server, "ü/whole.bin", file.len(), 2000);
    whole.put(&server, &file, 1).ok();
    whole.put(&server, &file, 2).ok();
    whole.complete(&server).ok();
    let open = Upload::begin(&server, "evil\u{202e}gpj.exe", file.len(), 2000);
    open.put(&server, &file, 1).ok();

    let shown = on(data.path(), &["ls"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    let text = shown.out.replace(&whole.id, "WHOLE").replace(&open.id, "OPEN");
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["ID", "STATUS", "PARTS", "LANDED", "SIZE", "AGE", "KEY"]);
    assert_eq!(words[1][..7], ["OPEN", "open", "1/2", "1.9", "KiB", "2.9", "KiB"]);
    assert_eq!(words[1][8], "evil\\u{202e}gpj.exe");
    assert_eq!(words[2][..3], ["WHOLE", "sealed", "2/2"]);

    let shown = on(data.path(), &["ls", "--json", "--status", "sealed"]);
    let line: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(line["id"], whole.id);
    assert_eq!(line["key"], "ü/whole.bin");
    assert_eq!(line["landed_bytes"], 3000);
    assert_eq!(on(data.path(), &["ls", "--limit", "1"]).out.lines().count(), 2);
    assert_eq!(on(data.path(), &["ls", "--status", "lost"]).code, Some(2));
}

#[test]
fn sweep_clears_what_is_left_behind_and_is_refused_beside_a_server() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(data.path(), |command| {
        command.args(["--keep-unfinished", "1ms"]);
    });
    let upload = Upload::begin(&server, "a.bin", 3000, 2000);
    let beside = on(data.path(), &["sweep"]);
    assert_eq!(beside.code, Some(1));
    assert!(beside.err.contains("is in use by another server"), "{}", beside.err);
    assert!(beside.err.contains("hint: a running server sweeps its folder by itself"), "{}", beside.err);
    server.kill();
    std::fs::create_dir(data.path().join("staging/01234567-89ab-4def-8123-456789abcdef")).unwrap();
    let swept = on(data.path(), &["sweep", "--json"]);
    assert_eq!(swept.code, Some(0), "{}", swept.err);
    assert_eq!(
        serde_json::from_str::<Value>(&swept.out).unwrap(),
        json!({"expired": 1, "healed": 0, "cleared": 0, "forgotten": 0, "orphans": 1})
    );
    assert_eq!(std::fs::read_dir(data.path().join("staging")).unwrap().count(), 0);
    let listed: Value = serde_json::from_str(&on(data.path(), &["ls", "--json"]).out).unwrap();
    assert_eq!((&listed["id"], &listed["status"]), (&json!(upload.id), &json!("expired")));
    assert!(on(data.path(), &["sweep"]).out.contains("expired    0"));
}

#[test]
fn sweep_speaks_of_a_running_server_only_when_there_is_one() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("catalog.sqlite"), "no database").unwrap();
    let ended = on(data.path(), &["sweep"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("error: cannot open the catalog"), "{}", ended.err);
    assert!(!ended.err.contains("hint:"), "{}", ended.err);
}

#[test]
fn a_folder_that_is_none_of_ours_is_not_made_into_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nothing");
    for command in ["ls", "sweep"] {
        let ended = on(&data, &[command]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains("is no data folder of Towline"), "{}", ended.err);
        assert!(!data.exists());
    }
}
