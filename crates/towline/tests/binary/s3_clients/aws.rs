//! `aws s3`: files and folders, both ways.

use std::fs;

use super::stage::{LARGE, Stage, assert_same, text};
use crate::support::{Connection, noise};

#[test]
fn a_file_of_100_mb_goes_in_by_parts_and_comes_out_whole() {
    let stage = Stage::new();
    let file = noise(11, LARGE);
    let path = stage.write("video.mp4", &file);
    stage.aws(&["s3", "cp", text(&path), "s3://towline/videos/video.mp4"]);
    stage.assert_arrived("videos/video.mp4", &file);
    let head = stage.s3api(&["head-object", "--bucket", "towline", "--key", "videos/video.mp4"]);
    assert_eq!((&head["ContentLength"], &head["ContentType"]), (&LARGE.into(), &"video/mp4".into()));
    // Eight MiB a part, as the CLI cuts, and its number in the tag, as S3 says it.
    let tag = head["ETag"].as_str().unwrap();
    assert!(tag.ends_with("-12\"") && tag.len() == 37, "{tag}");
    stage.aws(&["s3", "cp", "s3://towline/videos/video.mp4", "back.mp4"]);
    assert_same(&stage.read("back.mp4"), &file);
    stage.check();
}

#[test]
fn small_and_empty_files_and_odd_names_go_in_and_come_out() {
    let stage = Stage::new();
    for (size, key) in [(0, "empty.bin"), (1, "one byte"), (70_000, "über + 100% & 'mehr' 🎬.bin")] {
        let file = noise(12, size);
        let path = stage.write("in.bin", &file);
        let url = format!("s3://towline/odd/{key}");
        stage.aws(&["s3", "cp", text(&path), &url]);
        stage.assert_arrived(&format!("odd/{key}"), &file);
        stage.aws(&["s3", "cp", &url, "out.bin"]);
        assert_same(&stage.read("out.bin"), &file);
    }
    let listed = stage.aws(&["s3", "ls", "s3://towline/odd/"]);
    assert!(listed.contains(" 70000 über + 100% & 'mehr' 🎬.bin\n"), "{listed}");
    stage.check();
}

#[test]
fn a_stream_of_unknown_length_goes_in() {
    let stage = Stage::new();
    let file = noise(13, 20_000_000);
    let path = stage.write("in.bin", &file);
    let mut command = stage.aws_at(stage.address());
    command.args(["s3", "cp", "-", "s3://towline/piped.bin"]).stdin(fs::File::open(path).unwrap());
    let ended = super::stage::run(&mut command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    stage.assert_arrived("piped.bin", &file);
    stage.check();
}

#[test]
fn a_large_file_is_moved_by_copied_parts() {
    let stage = Stage::new();
    let file = noise(14, 20_000_000);
    let path = stage.write("in.bin", &file);
    stage.aws(&["s3", "cp", text(&path), "s3://towline/here.bin"]);
    stage.aws(&["s3", "mv", "s3://towline/here.bin", "s3://towline/there/moved.bin"]);
    stage.assert_arrived("there/moved.bin", &file);
    let listed = stage.aws(&["s3", "ls", "--recursive", "s3://towline/"]);
    assert!(listed.contains("there/moved.bin") && !listed.contains("here.bin"), "{listed}");
    stage.check();
}

#[test]
fn ls_shows_files_and_folders_and_all_below() {
    let stage = Stage::new();
    for key in ["a.txt", "docs/b.txt", "docs/deep/c.txt", "docs-old/d.txt"] {
        let path = stage.write("in.txt", key.as_bytes());
        stage.aws(&["s3", "cp", text(&path), &format!("s3://towline/{key}")]);
    }
    let buckets = stage.aws(&["s3", "ls"]);
    assert_eq!(
        buckets.lines().filter_map(|line| line.split(' ').next_back()).collect::<Vec<_>>(),
        ["towline"]
    );
    let shown = |arguments: &[&str]| {
        let out = stage.aws(&[&["s3", "ls"], arguments].concat());
        // Behind the date and the time, which are not asserted.
        let line = |line: &str| match line.trim_start().strip_prefix("PRE ") {
            Some(folder) => folder.to_owned(),
            None => line.split_whitespace().skip(2).collect::<Vec<_>>().join(" "),
        };
        out.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["s3://towline"]), ["docs-old/", "docs/", "5 a.txt"]);
    assert_eq!(shown(&["s3://towline/docs/"]), ["deep/", "10 b.txt"]);
    assert_eq!(shown(&["s3://towline/docs"]), ["docs-old/", "docs/"]);
    let all = ["5 a.txt", "14 docs-old/d.txt", "10 docs/b.txt", "15 docs/deep/c.txt"];
    assert_eq!(shown(&["s3://towline", "--recursive"]), all);
    assert_eq!(shown(&["s3://towline", "--recursive", "--page-size", "1"]), all);
    stage.check();
}

#[test]
fn rm_takes_away_one_file_or_all_below_a_folder() {
    let stage = Stage::new();
    for key in ["keep.txt", "gone/a.txt", "gone/deep/b.txt", "gone.txt"] {
        let path = stage.write("in.txt", key.as_bytes());
        stage.aws(&["s3", "cp", text(&path), &format!("s3://towline/{key}")]);
    }
    stage.aws(&["s3", "rm", "s3://towline/gone.txt"]);
    stage.aws(&["s3", "rm", "s3://towline/gone.txt"]);
    stage.aws(&["s3", "rm", "s3://towline/gone/", "--recursive"]);
    assert!(stage.has("keep.txt") && !stage.has("gone.txt"));
    assert!(!stage.has("gone/a.txt") && !stage.has("gone/deep/b.txt"));
    stage.check();
}

#[test]
fn sync_sends_what_is_new_and_fetches_what_is_missing() {
    let stage = Stage::new();
    for (seed, name) in (20..).zip(["tree/a.bin", "tree/deep/b.bin", "tree/deep/c d.bin"]) {
        stage.write(name, &noise(seed, 50_000));
    }
    let sent = |out: &str| out.lines().filter(|line| line.contains("upload: ")).count();
    let to = ["s3", "sync", "tree", "s3://towline/tree", "--no-progress"];
    assert_eq!(sent(&stage.aws(&to)), 3);
    assert_eq!(sent(&stage.aws(&to)), 0);
    let newer = noise(29, 60_000);
    stage.write("tree/deep/b.bin", &newer);
    assert_eq!(sent(&stage.aws(&to)), 1);
    stage.assert_arrived("tree/deep/b.bin", &newer);
    stage.aws(&["s3", "sync", "s3://towline/tree", "back"]);
    for name in ["a.bin", "deep/b.bin", "deep/c d.bin"] {
        assert_same(&stage.read(&format!("back/{name}")), &stage.read(&format!("tree/{name}")));
    }
    fs::remove_file(stage.files.path().join("tree/a.bin")).unwrap();
    stage.aws(&[&to, &["--delete"][..]].concat());
    assert!(!stage.has("tree/a.bin") && stage.has("tree/deep/c d.bin"));
    stage.check();
}

#[test]
fn a_presigned_url_is_read_by_whoever_has_it_and_by_nobody_who_changes_it() {
    let stage = Stage::new();
    let file = noise(14, 300_000);
    let path = stage.write("in.bin", &file);
    stage.aws(&["s3", "cp", text(&path), "s3://towline/shared/a b.bin"]);
    let url = stage.aws(&["s3", "presign", "s3://towline/shared/a b.bin", "--expires-in", "600"]);
    let origin = format!("http://{}", stage.address());
    let target = url.trim().strip_prefix(&origin).unwrap();
    let host = stage.address().to_string();
    let get = |target: &str| Connection::open(stage.address()).send("GET", target, &[("Host", &host)], b"");
    let reply = get(target);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_same(&reply.body, &file);
    let last = if target.ends_with('0') { "1" } else { "0" };
    for tampered in [
        target.replacen("a%20b", "a%20c", 1),
        target.replacen("Expires=600", "Expires=6000", 1),
        format!("{}{last}", &target[..target.len() - 1]),
    ] {
        assert_ne!(tampered, target);
        let reply = get(&tampered);
        assert_eq!(reply.status, 403, "{tampered}");
        assert!(reply.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", reply.text());
    }
    let unsigned = get("/towline/shared/a%20b.bin?acl");
    assert_eq!(unsigned.status, 403);
    assert!(unsigned.text().contains("<Code>AccessDenied</Code>"), "{}", unsigned.text());
    stage.check();
}

#[test]
fn a_url_that_the_cli_signs_when_it_is_told_nothing_is_read() {
    let stage = Stage::new();
    let file = noise(15, 300_000);
    let path = stage.write("in.bin", &file);
    stage.aws(&["s3", "cp", text(&path), "s3://towline/shared/a b.bin"]);
    let mut command = stage.aws_at(stage.address());
    command.env("AWS_CONFIG_FILE", "none").args(["s3", "presign", "s3://towline/shared/a b.bin"]);
    let ended = super::stage::run(&mut command);
    let host = stage.address().to_string();
    let target = ended.out.trim().strip_prefix(&format!("http://{host}")).unwrap();
    let reply = Connection::open(stage.address()).send("GET", target, &[("Host", &host)], b"");
    assert_eq!(reply.status, 200, "{}", ended.out);
    assert_same(&reply.body, &file);
    stage.check();
}
