//! Access keys that may less, and those that are taken away.

use std::path::Path;

use serde_json::Value;

use super::stage::{Stage, assert_same, text};
use crate::support::{Ended, noise, run, towline};

/// What `towline keys` says.
#[track_caller]
fn keys(data: &Path, arguments: &[&str]) -> String {
    let ended = Ended::from(towline().arg("keys").args(arguments).arg("--data").arg(data).output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out
}

/// A new key that the running server knows.
fn new_key(stage: &mut Stage, arguments: &[&str]) -> (String, String) {
    let out = keys(stage.house.data.path(), &[&["new", "--json"], arguments].concat());
    stage.house.server.wait_for_line("access keys changed");
    let made: Value = serde_json::from_str(&out).unwrap();
    let field = |name: &str| made[0][name].as_str().unwrap().to_owned();
    (field("access_key"), field("secret_key"))
}

#[test]
fn a_key_for_uploads_below_a_prefix_does_nothing_else() {
    let mut stage = Stage::new();
    let (access_key, secret_key) =
        new_key(&mut stage, &["--name", "cam", "--prefix", "cam/", "--may", "upload"]);
    let pair = (access_key.as_str(), secret_key.as_str());
    let film = noise(71, 20_000_000);
    let path = stage.write("film.mp4", &film);
    let ended = stage.aws_as(pair, &["s3", "cp", text(&path), "s3://towline/cam/film.mp4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    stage.assert_arrived("cam/film.mp4", &film);
    for refused in [
        &["s3", "cp", text(&path), "s3://towline/film.mp4"][..],
        &["s3", "cp", text(&path), "s3://towline/camera/film.mp4"],
        &["s3api", "get-object", "--bucket", "towline", "--key", "cam/film.mp4", "out"],
        &["s3api", "delete-object", "--bucket", "towline", "--key", "cam/film.mp4"],
        &["s3", "ls", "s3://towline/"],
    ] {
        stage.refused_as(pair, "AccessDenied", refused);
    }
    assert!(!stage.has("film.mp4") && !stage.has("camera/film.mp4"));
    stage.check();
}

#[test]
fn a_key_for_reading_sees_files_below_its_prefix_only() {
    let mut stage = Stage::new();
    let (shared, private) = (noise(72, 1000), noise(73, 1000));
    for (key, bytes) in [("shared/a.bin", &shared), ("private/b.bin", &private)] {
        let path = stage.write("in.bin", bytes);
        stage.aws(&["s3", "cp", text(&path), &format!("s3://towline/{key}")]);
    }
    let (access_key, secret_key) =
        new_key(&mut stage, &["--name", "guest", "--prefix", "shared/", "--may", "read,manage"]);
    let pair = (access_key.as_str(), secret_key.as_str());
    let ended = stage.aws_as(pair, &["s3", "cp", "s3://towline/shared/a.bin", "out.bin"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(&stage.read("out.bin"), &shared);
    let listed = stage.aws_as(pair, &["s3", "ls", "s3://towline/", "--recursive"]);
    assert!(!listed.out.contains("private"), "{}", listed.out);
    for refused in [
        &["s3api", "get-object", "--bucket", "towline", "--key", "private/b.bin", "out"][..],
        &["s3api", "put-object", "--bucket", "towline", "--key", "shared/a.bin"],
    ] {
        stage.refused_as(pair, "AccessDenied", refused);
    }
    stage.check();
}

#[test]
fn a_revoked_key_is_unknown_to_the_running_server() {
    let mut stage = Stage::new();
    let (access_key, secret_key) = new_key(&mut stage, &["--name", "guest"]);
    let pair = (access_key.as_str(), secret_key.as_str());
    let list = ["s3", "ls", "s3://towline/"];
    assert_eq!(stage.aws_as(pair, &list).code, Some(0));
    keys(stage.house.data.path(), &["revoke", &access_key]);
    stage.house.server.wait_for_line("access keys changed");
    stage.refused_as(pair, "InvalidAccessKeyId", &list);
    stage.aws(&list);
    stage.check();
}

#[test]
fn the_pair_that_the_first_start_makes_is_shown_on_demand_only() {
    let data = tempfile::tempdir().unwrap();
    let folder = text(data.path()).to_owned();
    let shown = run(&["keys", "--json", "--data", &folder]);
    let open = run(&["keys", "--json", "--secrets", "--data", &folder]);
    let parse = |out: &str| serde_json::from_str::<Value>(out).unwrap();
    let (shown, open) = (parse(&shown.out), parse(&open.out));
    assert_eq!(shown[0]["access_key"], open[0]["access_key"]);
    assert!(shown[0].get("secret_key").is_none() && open[0]["secret_key"].is_string());
}
