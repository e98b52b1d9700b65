//! Signals: what is under way comes to its end, within bounds.

use std::time::{Duration, Instant};

use crate::support::{Server, Upload, noise};

const PART: usize = 256 * 1024;

#[test]
fn a_part_that_is_under_way_is_finished_before_a_stop() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(1, 2 * PART);
    let mut server = Server::start(data.path());
    let upload = Upload::begin(&server, "a.bin", file.len(), PART);
    let mut slow = upload.begin_put(&server, &file, 1, PART / 2);
    server.signal("TERM");
    server.wait_for_line("stopping");
    slow.write(&upload.part(&file, 1)[PART / 2..]);
    assert_eq!(slow.reply().ok()["part_number"], 1);
    assert_eq!(server.wait().0, Some(0));

    let server = Server::start(data.path());
    assert_eq!(upload.status(&server)["completed_parts"], serde_json::json!([1]));
}

#[test]
fn idle_connections_do_not_hold_a_stop_up() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    let mut used = server.connect();
    assert_eq!(used.send("GET", "/health", &[], b"").status, 200);
    let _fresh = server.connect();
    let began = Instant::now();
    server.signal("TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "{log}");
    assert_eq!(used.read_to_end(), b"");
}

#[test]
fn a_stop_does_not_wait_for_a_silent_client_for_ever() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(1, PART);
    let mut server = Server::start_with(data.path(), |command| {
        command.args(["--stop-wait", "100ms"]);
    });
    let upload = Upload::begin(&server, "a.bin", file.len(), PART);
    let _silent = upload.begin_put(&server, &file, 1, PART / 2);
    server.signal("TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("stopped before everything had ended"), "{log}");
}

#[test]
fn a_second_signal_ends_at_once_and_an_interrupt_says_so() {
    let data = tempfile::tempdir().unwrap();
    let file = noise(1, PART);
    let mut server = Server::start(data.path());
    let upload = Upload::begin(&server, "a.bin", file.len(), PART);
    let _silent = upload.begin_put(&server, &file, 1, PART / 2);
    server.signal("TERM");
    server.wait_for_line("stopping");
    server.signal("INT");
    assert_eq!(server.wait().0, Some(130));
}
