//! Settings from all sides, and what is said when they make no sense.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, House, Upload, run, towline};

#[test]
fn the_documentation_of_the_settings_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let written = fs::read_to_string(path).unwrap();
    let made = run(&["config", "--markdown"]).out;
    assert!(
        written == made,
        "docs/configuration.md is out of date; run: cargo run -- config --markdown > docs/configuration.md"
    );
}

#[test]
fn config_shows_what_holds_and_who_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("towline.toml");
    fs::write(&file, "part_size = \"8MiB\"\nexisting = \"refuse\"\nmax_bodies = 7\n").unwrap();
    let output = towline()
        .args(["config", "--json", "--existing", "replace"])
        .env("TOWLINE_CONFIG", &file)
        .env("TOWLINE_MAX_BODIES", "8")
        .env("TOWLINE_TOKEN", "hush")
        .output()
        .unwrap();
    let ended = Ended::from(output);
    let shown: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(shown["part_size"], json!({"value": "8MiB", "origin": file.to_str().unwrap()}));
    assert_eq!(shown["existing"], json!({"value": "replace", "origin": "--existing"}));
    assert_eq!(shown["max_bodies"], json!({"value": 8, "origin": "TOWLINE_MAX_BODIES"}));
    assert_eq!(shown["token"], json!({"secret": true, "origin": "TOWLINE_TOKEN"}));
    assert_eq!(shown["disk_sync"], json!({"value": true, "origin": "default"}));
    assert!(!ended.out.contains("hush"));
}

#[test]
fn what_config_prints_is_a_settings_file_that_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("towline.toml");
    let first = run(&["config", "--part-size", "7MiB", "--disk-sync=false", "--doors", "session"]).out;
    fs::write(&file, &first).unwrap();
    let second = run(&["config", "--config", file.to_str().unwrap()]).out;
    let without_origins = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  #").next().unwrap().trim_end().to_owned()).collect()
    };
    assert_eq!(without_origins(&first), without_origins(&second));
    assert!(first.contains("disk_sync = false"), "{first}");
}

#[test]
fn downloads_say_how_they_may_be_cached() {
    let house = House::start(&["--download-cache-control", "public, max-age=60"]);
    let upload = Upload::begin(&house.server, "a.bin", 1, 1);
    upload.put(&house.server, b"a", 1).ok();
    upload.complete(&house.server).ok();
    let reply = house.server.get("/download/a.bin");
    assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
    house.check();
}

#[test]
fn config_prints_every_setting_with_its_default() {
    insta::assert_snapshot!("defaults", run(&["config"]).out);
}

#[test]
fn a_setting_that_makes_no_sense_ends_with_usage_and_a_hint() {
    let ended = run(&["serve", "--part-size", "big"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(
        ended.err,
        "error: part_size (--part-size): \"big\" is not a size\n\
         hint: allowed is a number of bytes, or one with KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 5MiB; at least 1\n"
    );
    let ended = run(&["serve", "--prt-size", "1MiB"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("'--part-size'"), "{}", ended.err);
    let ended = run(&["config", "--config", "/nowhere/towline.toml"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("/nowhere/towline.toml"), "{}", ended.err);
}
