//! `towline doctor`: what it finds, what it sets right, and what it leaves alone. Each bucket has a Garage of its own,
//! since CORS and lifecycle rules belong to a whole bucket.

mod garage;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Connection, Ended, Server, run, towline};
use garage::Garage;

/// The findings by their topics, of a run with `--json`.
#[derive(Debug)]
struct Told(Option<i32>, Value);

impl Told {
    fn by(command: &mut Command) -> Self {
        let ended = Ended::from(command.arg("--json").output().unwrap());
        assert_eq!(ended.err, "");
        let told: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(told["is_well"], ended.code == Some(0));
        Self(ended.code, told)
    }

    fn finding(&self, topic: &str) -> &Value {
        let findings = self.1["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|finding| finding["topic"] == topic)
            .unwrap_or_else(|| panic!("{topic}: {self:?}"))
    }

    fn state(&self, topic: &str) -> &str {
        self.finding(topic)["state"].as_str().unwrap()
    }

    fn has(&self, topic: &str, words: &str) -> bool {
        self.finding(topic).to_string().contains(words)
    }

    fn count(&self) -> usize {
        self.1["findings"].as_array().unwrap().len()
    }
}

fn on(data: &Path) -> Command {
    let mut command = towline();
    command.args(["doctor", "--data"]).arg(data);
    command
}

fn of(garage: &Garage) -> Command {
    let mut command = on(garage.folder());
    garage.tell(&mut command);
    command.args(["--origin", "https://app.example"]);
    command
}

/// What a browser asks before a page of this origin may send a part.
fn preflight(garage: &Garage, origin: &str) -> (u16, Option<String>) {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let reply = Connection::open(garage.address()).send("OPTIONS", "/towline/a.bin", &headers, b"");
    (reply.status, reply.header("access-control-allow-origin").map(str::to_owned))
}

#[test]
fn a_bucket_without_rules_is_found_and_set_right() {
    let garage = Garage::start();
    let told = Told::by(&mut of(&garage));
    assert_eq!(told.0, Some(1));
    for topic in ["reach", "clock", "region", "permissions", "checksums", "conditions", "unfinished"] {
        assert_eq!(told.state(topic), "ok", "{topic}");
    }
    assert_eq!((told.state("cors"), told.state("lifecycle")), ("missing", "missing"));
    let pasted: Value =
        serde_json::from_str(told.finding("cors")["cures"][0]["text"].as_str().unwrap()).unwrap();
    let rule = &pasted[0];
    assert_eq!(rule["ExposeHeaders"], serde_json::json!(["ETag"]));
    assert_eq!(rule["AllowedMethods"], serde_json::json!(["GET", "PUT", "POST", "HEAD", "DELETE"]));
    assert!(rule["AllowedOrigins"].as_array().unwrap().contains(&"https://app.example".into()));
    assert!(told.has("cors", "aws s3api put-bucket-cors --bucket towline"));
    assert!(told.has("lifecycle", "\\\"DaysAfterInitiation\\\": 14"));
    assert_eq!(preflight(&garage, "https://app.example").0, 403);

    let told = Told::by(of(&garage).arg("--fix"));
    assert_eq!(told.0, Some(0), "{told:?}");
    assert_eq!((told.state("cors"), told.state("lifecycle")), ("fixed", "fixed"));
    assert_eq!(told.state("pages"), "ok");
    let allowed = preflight(&garage, "https://app.example");
    assert_eq!(allowed, (200, Some("https://app.example".to_owned())));
    assert_eq!(preflight(&garage, "https://other.example").0, 403);

    let told = Told::by(&mut of(&garage));
    assert_eq!((told.0, told.state("cors"), told.state("lifecycle")), (Some(0), "ok", "ok"));
    let relayed = Told::by(of(&garage).args(["--s3-transfer", "relayed", "--keep-unfinished", "30d"]));
    assert_eq!(relayed.state("cors"), "ok");
    // Our own rule would now give up uploads that the server still keeps.
    assert_eq!((relayed.0, relayed.state("lifecycle")), (Some(1), "missing"));
    assert_eq!(garage.objects(), 0, "a look leaves nothing behind");
}

#[test]
fn what_keeps_the_server_out_of_its_bucket_is_one_clear_line() {
    let garage = Garage::start();
    for (flag, value, topic, words) in [
        ("--s3-secret-key", "wrong", "credentials", "secret key is not the one of the access key GK"),
        ("--s3-access-key", "GK0", "credentials", "does not know the access key GK0"),
        ("--s3-region", "eu-west-1", "region", "Say --s3-region garage"),
        ("--s3-bucket", "nothing", "reach", "create-bucket --bucket nothing"),
        ("--s3-endpoint", "http://127.0.0.1:9", "reach", "Does a server run at http://127.0.0.1:9"),
    ] {
        let told = Told::by(of(&garage).args([flag, value]));
        assert_eq!((told.0, told.state(topic)), (Some(1), "wrong"), "{flag} {value}");
        assert!(told.has(topic, words), "{told:?}");
        let whole = Told::by(&mut of(&garage));
        assert!(told.count() < whole.count(), "nothing else is asked once {flag} is wrong");
        assert!(!told.1.to_string().contains(garage::SECRET_KEY));
    }
}

#[test]
fn a_folder_is_looked_at_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let told = Told::by(&mut on(&data));
    assert_eq!((told.0, told.state("folder")), (Some(0), "ok"));
    assert!(!data.exists());
    let mut server = Server::start(&data);
    let before = names(&data);
    let told = Told::by(&mut on(&data));
    assert!(told.has("owner", &format!("(process {})", server.pid())), "{told:?}");
    assert_eq!((told.0, told.state("catalog")), (Some(0), "ok"));
    assert_eq!(server.get("/ready").status, 200);
    server.kill();
    let told = Told::by(&mut on(&data));
    assert_eq!((told.state("owner"), told.state("writing")), ("ok", "ok"));
    assert_eq!(names(&data), before);
    std::fs::write(folder.path().join("catalog.sqlite"), "no database").unwrap();
    let told = Told::by(&mut on(folder.path()));
    assert_eq!((told.0, told.state("catalog")), (Some(1), "wrong"));
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn settings_that_would_not_start_are_wrong_and_others_odd() {
    let folder = tempfile::tempdir().unwrap();
    let told = Told::by(on(folder.path()).args(["--listen", "0.0.0.0:80"]));
    assert_eq!((told.0, told.state("access")), (Some(1), "wrong"));
    let told = Told::by(on(folder.path()).args(["--listen", "0.0.0.0:80", "--allow-anonymous"]));
    assert_eq!((told.0, told.state("access"), told.state("public_url")), (Some(0), "odd", "odd"));
    let told = Told::by(on(folder.path()).args(["--store", "s3"]));
    assert_eq!((told.0, told.state("pairs")), (Some(1), "wrong"));
}

#[test]
fn the_command_line_is_explained_and_checked() {
    insta::assert_snapshot!("short_help_of_doctor", run(&["doctor", "-h"]).out);
    let ended = run(&["doctor", "--fix"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("--fix sets the rules of a bucket"), "{}", ended.err);
    assert_eq!(run(&["doctor", "--origin", "app.example"]).code, Some(2));
}

#[test]
fn findings_are_lines_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Ended::from(on(&folder.path().join("data")).output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[1], "  ok       access      anybody on this machine, and nobody else");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 100 && *line == line.trim_end()),
        "{}",
        ended.out
    );
    assert_eq!(lines.last(), Some(&"All is well: 4 ok."));
}
