//! `towline bench` against a server: what it measures, says and leaves behind.

use serde_json::Value;
use tempfile::TempDir;

use crate::s3_store::bucket::Bucket;
use crate::support::{Ended, House, run, towline};

/// A short course: two part sizes, one and two workers.
const COURSE: [&str; 7] = ["bench", "--size", "8MiB", "--sizes", "1MiB,2MiB", "--workers", "1,2"];
const ROWS: [(u64, u64); 4] = [(1, 1), (1, 2), (2, 1), (2, 2)];

fn bench(house: &House, arguments: &[&str]) -> Ended {
    let url = format!("http://{}", house.server.address());
    Ended::from(towline().args(COURSE).arg(url).args(arguments).output().unwrap())
}

/// No upload is open or finished, and no part is there.
fn check_nothing_left(house: House) {
    let sessions = house.server.get("/sessions?limit=1000").ok();
    let sessions = sessions["sessions"].as_array().unwrap();
    assert!(
        !sessions.is_empty() && sessions.iter().all(|session| session["status"] == "cancelled"),
        "{sessions:?}"
    );
    let staged = std::fs::read_dir(house.data.path().join("staging")).unwrap();
    assert_eq!(staged.count(), 0);
    house.check();
}

#[test]
fn every_combination_is_a_row_and_nothing_stays() {
    let house = House::start(&[]);
    let ended = bench(&house, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let lines: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let rows: Vec<(u64, u64)> = lines
        .iter()
        .filter(|words| words.len() > 8 && words[1] == "MiB" && words[0] != "8.0")
        .map(|words| (words[0].parse().unwrap(), words[2].parse().unwrap()))
        .collect();
    assert_eq!(rows, ROWS, "{}", ended.out);
    assert!(ended.out.contains(" on this line: --workers "), "{}", ended.out);
    assert!(ended.out.contains("Parts only:"), "{}", ended.out);
    assert_eq!(ended.err.lines().count(), 5, "{}", ended.err);
    assert!(ended.err.starts_with("warming up\n1 of 4: parts of 1 MiB, 1 worker\n2 of 4: "), "{}", ended.err);
    check_nothing_left(house);
}

#[test]
fn json_is_one_object_with_every_run() {
    let house = House::start(&[]);
    let ended = bench(&house, &["--json", "--repeat", "2"]);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    let rows = object["rows"].as_array().unwrap();
    let found = |row: &Value| (row["part_bytes"].as_u64().unwrap() >> 20, row["workers"].as_u64().unwrap());
    assert_eq!(rows.iter().map(found).collect::<Vec<_>>(), ROWS);
    for row in rows {
        assert_eq!(row["runs"].as_array().unwrap().len(), 2);
        assert!(row["duration_ms"].as_f64().unwrap() > 0.0 && row["failed_tries"] == 0, "{row}");
        assert!(!cfg!(target_os = "linux") || row["peak_bytes"].as_u64().unwrap() > 1 << 20, "{row}");
    }
    assert!(object["advice"]["workers"].is_u64() && object["is_whole"] == true, "{object}");
    check_nothing_left(house);
}

#[test]
fn a_chart_is_well_formed_and_has_a_point_for_each_row() {
    let (house, folder) = (House::start(&[]), TempDir::new().unwrap());
    for name in ["a.svg", "a.html"] {
        let path = folder.path().join(name);
        let ended = bench(&house, &["--chart", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let text = std::fs::read_to_string(path).unwrap();
        let from = text.find("<svg ").unwrap();
        let svg = &text[from..text.find("</svg>").unwrap() + "</svg>".len()];
        assert_eq!(points(svg), ROWS.len(), "{svg}");
    }
    check_nothing_left(house);
}

/// Reads all of it, as XML.
fn points(svg: &str) -> usize {
    use quick_xml::events::Event;

    let (mut reader, mut count) = (quick_xml::Reader::from_str(svg), 0);
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(element) = &event {
            let class = element.try_get_attribute("class").unwrap();
            count += usize::from(class.is_some_and(|class| class.value.starts_with("point")));
        }
        if event == Event::Eof {
            return count;
        }
    }
}

#[test]
fn what_s3_does_not_grant_is_measured_as_it_was_granted() {
    for bucket in Bucket::both() {
        let arguments = ["bench", "--size", "8MiB", "--sizes", "1MiB,5MiB", "--workers", "1"];
        let mut command = towline();
        command.args(arguments).arg(bucket.url("")).envs(bucket.environment());
        let ended = Ended::from(command.output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains("\n  *5 MiB  "), "{}", ended.out);
        let note = "* Parts of 1 MiB were asked for, and parts of 5 MiB granted: those were measured.";
        assert!(ended.out.contains(note), "{}", ended.out);
        assert!(
            ended.err.contains("\n1 of 1: parts of 5 MiB"),
            "what became the same is measured once: {}",
            ended.err
        );
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn what_makes_no_sense_is_said_at_once() {
    for (arguments, words) in [
        (&["bench"][..], "no server is named, and no bucket"),
        (&["bench", "ftp://a"], "ftp://a is no place"),
        (&["bench", "--size", "1MiB", "http://a"], "larger than all that is uploaded"),
        (&["bench", "--chart", "a.png", "http://a"], ".svg or .html"),
        (&["bench", "--chart", "/nowhere/a.svg", "http://a"], "there is no folder /nowhere"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(words), "{arguments:?}: {}", ended.err);
    }
    insta::assert_snapshot!("short_help_of_bench", run(&["bench", "-h"]).out);
}
