//! Document 004's flow as its readers walk it: the requests it shows, and its kind of client, Python `requests` with
//! forms and four threads (`examples/python/uploader.py`), with kills in the middle.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use towline_core::digest::hex;

use crate::support::{Ended, Line, Reply, Server, Upload, noise, python};

const MIB: usize = 1024 * 1024;
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/python/uploader.py");

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Sends a part as curl does with `-F file=@part`.
fn put_form(server: &Server, upload: &Upload, file: &[u8], number: usize, headers: &[(&str, &str)]) -> Reply {
    let head = "--b0und\r\nContent-Disposition: form-data; name=\"file\"; filename=\"part\"\r\n\
                Content-Type: application/octet-stream\r\n\r\n";
    let body = [head.as_bytes(), upload.part(file, number), b"\r\n--b0und--\r\n"].concat();
    let form = [("Content-Type", "multipart/form-data; boundary=b0und")];
    let path = upload.path(&format!("part/{number}"));
    server.connect().send("PUT", &path, &[&form, headers].concat(), &body)
}

#[test]
fn the_requests_of_the_document_are_answered_as_it_says_across_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(4, 24 * MIB);
    let mut server = Server::start(data.path());
    let order = json!({"filename": "video.mp4", "file_size": file.len(), "chunk_size": 5 * MIB, "file_hash": sha256(&file)});
    let begun = server.send("POST", "/upload/init", &order).ok();
    assert_eq!(begun["total_parts"], 5);
    let id = begun["session_id"].as_str().unwrap().to_owned();
    let upload = Upload { id, part_bytes: 5 * MIB };
    let first = upload.put(&server, &file, 1).ok();
    assert_eq!((&first["part_number"], &first["received"]), (&json!(1), &json!(true)));
    assert_eq!(put_form(&server, &upload, &file, 2, &[]).ok()["size"], 5 * MIB);
    let _half = upload.begin_put(&server, &file, 3, 2 * MIB);
    server.kill();

    let server = Server::start(data.path());
    let status = upload.status(&server);
    assert_eq!(
        (&status["completed_parts"], &status["status"], &status["filename"], &status["progress_percent"]),
        (&json!([1, 2]), &json!("in_progress"), &json!("video.mp4"), &json!(40.0))
    );
    let early = upload.complete(&server);
    assert_eq!((early.status, &early.json()["detail"]), (400, &json!("Missing parts: [3, 4, 5]")));
    let other_hash = [("X-Part-Hash", "d41d8cd98f00b204e9800998ecf8427e")];
    let damaged = put_form(&server, &upload, &file, 3, &other_hash);
    assert_eq!(damaged.status, 400);
    assert!(damaged.text().contains("\"detail\":\"Checksum mismatch for part 3"), "{}", damaged.text());
    assert_eq!(upload.status(&server)["completed_parts"], json!([1, 2]));
    for number in [5, 3, 4, 1] {
        put_form(&server, &upload, &file, number, &[]).ok();
    }
    let done = upload.complete(&server).ok();
    assert_eq!(done["status"], "completed");
    assert_eq!(done["receipt"]["verified"], json!({"algorithm": "sha256", "value": sha256(&file)}));
    assert_eq!(upload.complete(&server).ok(), done);
    assert_eq!(sha256(&fs::read(done["file_path"].as_str().unwrap()).unwrap()), sha256(&file));
    let late = upload.put(&server, &file, 1);
    assert_eq!((late.status, &late.json()["detail"]), (400, &json!("Upload session is completed")));
}

/// A file on the client's side, and the client that sends it.
struct Sender {
    folder: TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Sender {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        Self { folder, path, bytes }
    }

    fn client(&self, address: SocketAddr, arguments: &[&str]) -> Command {
        let mut command = python();
        command.arg(CLIENT).arg(&self.path).args(arguments).current_dir(self.folder.path());
        command
            .env("API_BASE_URL", format!("http://{address}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn send(&self, address: SocketAddr, arguments: &[&str]) -> Ended {
        Ended::from(self.client(address, arguments).output().unwrap())
    }

    /// Goes on with an upload to its end; gives how many parts were sent.
    fn resume(&self, server: &Server, id: &str) -> usize {
        let ended = self.send(server.address(), &["--resume", id]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
        parts_sent(&ended.out)
    }

    #[track_caller]
    fn assert_arrived(&self, data: &Path, key: &str) {
        let arrived = fs::read(data.join("completed").join(key)).unwrap();
        assert!(arrived == self.bytes, "{} of {} bytes, or others", arrived.len(), self.bytes.len());
    }
}

fn parts_sent(out: &str) -> usize {
    out.lines().filter(|line| line.starts_with("part ")).count()
}

/// The id in the client's first line.
fn session_id(out: &str) -> &str {
    let line = out.strip_prefix("session ").unwrap_or_else(|| panic!("no session in {out:?}"));
    line.split(':').next().unwrap()
}

/// How many parts the server has of an upload.
fn parts_landed(server: &Server, id: &str) -> usize {
    let status = server.get(&format!("/upload/{id}/status")).ok();
    assert_eq!(status["status"], "in_progress");
    status["completed_parts"].as_array().unwrap().len()
}

const CHUNKS: [&str; 2] = ["--chunk-size", "1MiB"];

#[test]
fn the_real_client_sends_a_file_whole_and_proves_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let sender = Sender::new("testfile.bin", noise(1, 24 * MIB + 345));
    let ended = sender.send(server.address(), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(parts_sent(&ended.out), 5);
    sender.assert_arrived(data.path(), "testfile.bin");
    let done = server.get("/sessions?status=completed").ok();
    assert_eq!((&done["total"], &done["sessions"][0]["progress"]), (&json!(1), &json!("5/5")));
    assert_eq!(sender.resume(&server, session_id(&ended.out)), 0);
}

#[test]
fn the_real_client_goes_on_after_the_server_was_killed_under_it() {
    let data = tempfile::tempdir().unwrap();
    let sender = Sender::new("testfile.bin", noise(2, 24 * MIB));
    let mut server = Server::start(data.path());
    let line = Line::to(&server, 9 * MIB + 5000);
    let client = sender.client(line.address(), &CHUNKS).spawn().unwrap();
    line.wait_until_stopped();
    server.kill();
    let ended = Ended::from(client.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1));
    let id = session_id(&ended.out);
    assert!(ended.err.ends_with(&format!("hint: go on with --resume {id}\n")), "{}", ended.err);

    let server = Server::start(data.path());
    let landed = parts_landed(&server, id);
    assert!((5..=9).contains(&landed), "{landed} parts of those that fit into 9 MiB by four threads");
    assert!(landed >= parts_sent(&ended.out), "an acknowledged part is gone");
    assert_eq!(sender.resume(&server, id), 24 - landed);
    sender.assert_arrived(data.path(), "testfile.bin");
}

#[test]
fn the_real_client_goes_on_after_it_was_killed() {
    let data = tempfile::tempdir().unwrap();
    let sender = Sender::new("testfile.bin", noise(3, 24 * MIB));
    let server = Server::start(data.path());
    let line = Line::to(&server, 9 * MIB + 5000);
    let mut client = sender.client(line.address(), &CHUNKS).spawn().unwrap();
    line.wait_until_stopped();
    client.kill().unwrap();
    let ended = Ended::from(client.wait_with_output().unwrap());
    drop(line);
    let id = session_id(&ended.out);
    let landed = parts_landed(&server, id);
    assert!(landed >= parts_sent(&ended.out), "an acknowledged part is gone");
    // What had wholly arrived may have landed after the look.
    let sent = sender.resume(&server, id);
    assert!((15..=24 - landed).contains(&sent), "{sent} parts were sent when {landed} of 24 had landed");
    sender.assert_arrived(data.path(), "testfile.bin");
}

#[test]
fn a_simulated_failure_leaves_the_other_half_to_a_resume() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let sender = Sender::new("testfile.bin", noise(4, 9 * MIB));
    let ended =
        sender.send(server.address(), &["--simulate-failure", "--workers", "8", "--chunk-size", "1MiB"]);
    assert_eq!((ended.code, parts_sent(&ended.out)), (Some(1), 4));
    assert_eq!(sender.resume(&server, session_id(&ended.out)), 5);
    sender.assert_arrived(data.path(), "testfile.bin");
}

#[test]
fn a_file_that_changed_before_the_resume_is_refused_and_can_be_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let sender = Sender::new("testfile.bin", noise(5, 4 * MIB));
    let ended = sender.send(server.address(), &["--simulate-failure", "--chunk-size", "1MiB"]);
    let id = session_id(&ended.out);
    fs::write(&sender.path, noise(6, 4 * MIB)).unwrap();
    let changed = sender.send(server.address(), &["--resume", id]);
    assert_eq!(changed.code, Some(1));
    assert!(changed.err.contains("400: File integrity check failed. Hash mismatch"), "{}", changed.err);
    assert!(!data.path().join("completed/testfile.bin").exists());

    fs::write(&sender.path, &sender.bytes).unwrap();
    let upload = Upload { id: id.to_owned(), part_bytes: MIB };
    assert_eq!(upload.status(&server)["status"], "failed");
    for number in 1..=4 {
        upload.put(&server, &sender.bytes, number).ok();
    }
    assert_eq!(sender.resume(&server, id), 0);
    sender.assert_arrived(data.path(), "testfile.bin");
}

#[test]
fn empty_files_and_unusual_names_arrive_as_they_are() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(149));
    let other_names =
        ["a b  c.txt", "folder/with space/%2e%2e.bin", "..hidden..", "ü/🎬 клип.mp4", "-rf", &long];
    let empty = Sender::new("empty 🗋.bin", Vec::new());
    let ended = empty.send(server.address(), &[]);
    assert_eq!((ended.code, ended.err.as_str(), parts_sent(&ended.out)), (Some(0), "", 0));
    empty.assert_arrived(data.path(), "empty 🗋.bin");
    let small = Sender::new("small.bin", noise(7, 1000));
    for name in other_names {
        let ended = small.send(server.address(), &[&format!("--name={name}"), "--chunk-size", "300"]);
        assert_eq!((ended.code, ended.err.as_str(), parts_sent(&ended.out)), (Some(0), "", 4), "{name}");
        small.assert_arrived(data.path(), name);
    }
}

#[test]
fn names_that_no_file_can_have_are_refused_in_words() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let sender = Sender::new("small.bin", noise(8, 1000));
    let long = "n".repeat(300);
    for (name, problem) in [
        ("../escape.bin", "filename: it has a '..' segment"),
        ("a/../../b", "filename: it has a '..' segment"),
        ("/etc/passwd", "filename: it starts with '/'"),
        ("a//b", "filename: it has an empty segment"),
        ("folder/", "filename: it ends with '/'"),
        ("line\nbreak", "filename: it holds the control character U+000A"),
        (&long, "filename: the segment of 300 bytes is too long, this store takes 255"),
    ] {
        let ended = sender.send(server.address(), &[&format!("--name={name}")]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
        assert!(ended.err.starts_with(&format!("error: 400: {problem}")), "{name:?}: {}", ended.err);
    }
    assert_eq!(server.get("/sessions").ok()["total"], 0);
    assert_eq!(fs::read_dir(data.path().join("completed")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(data.path().join("staging")).unwrap().count(), 0);
}
