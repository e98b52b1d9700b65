//! What goes wrong on a bad line, and what is never wrong behind it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::json;

use super::Chaos;
use crate::support::{Connection, Server, Upload, noise};

const MIB: usize = 1 << 20;

/// Reads everything that anybody sends, for as long as the test runs.
fn sink() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || std::io::copy(&mut client.unwrap(), &mut std::io::sink()).ok());
        }
    });
    address
}

/// Sends on one connection until it is cut; gives how it ended.
fn send_until_cut(address: SocketAddr, file: &[u8]) -> std::io::Error {
    let mut stream = TcpStream::connect(address).unwrap();
    loop {
        if let Err(error) = stream.write_all(file) {
            return error;
        }
    }
}

#[test]
fn connections_are_cut_after_the_same_bytes_with_the_same_seed() {
    let (server, file) = (sink(), noise(1, MIB));
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut chaos = Chaos::start(server, &["--cut-every", "1MiB"]);
        let mut carried = Vec::new();
        for count in 1..=5 {
            send_until_cut(chaos.address, &file);
            let tally = chaos.ask();
            assert_eq!((&tally["connections"], &tally["cuts"]), (&json!(count), &json!(count)));
            carried.push(tally["up_bytes"].as_u64().unwrap());
        }
        runs.push(carried);
    }
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn a_cut_is_a_reset_also_by_time() {
    let chaos = Chaos::start(sink(), &["--cut-every", "1ms"]);
    let mut stream = TcpStream::connect(chaos.address).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(chaos.end()["cuts"], 1);
}

#[test]
fn a_server_that_is_not_there_is_a_reset_and_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let chaos = Chaos::start(nobody, &[]);
    let mut stream = TcpStream::connect(chaos.address).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert_eq!(chaos.end()["unreachable"], 1);
}

#[test]
fn errors_are_replies_that_the_server_never_hears_of() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let chaos = Chaos::start(server.address(), &["--error-rate", "100%", "--latency", "2ms"]);
    let file = noise(1, 3 * MIB);
    let upload = Upload::begin(&server, "a.bin", file.len(), file.len());
    let path = upload.path("part/1");
    let mut statuses = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let mut connection = chaos.connect();
        let reply = connection.send("PUT", &path, &[], &file);
        assert_eq!(reply.header("server"), Some("towline-chaos"));
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(reply.text(), "This answer was made up by towline chaos.\n");
        assert_eq!(connection.read_to_end(), b"");
        statuses.insert((reply.status, reply.header("retry-after").map(str::to_owned)));
    }
    let plain = |status: u16| (status, None);
    let later = |status: u16| (status, Some("1".to_owned()));
    let known = [plain(429), later(429), plain(500), plain(502), plain(503), later(503)];
    assert!(statuses.is_subset(&known.into()) && statuses.len() > 3, "{statuses:?}");

    let mut called = chaos.connect();
    called.begin("PUT", &path, &[("Expect", "100-continue")], file.len());
    assert!(called.reply().status >= 429);
    let mut head = chaos.connect();
    head.begin("HEAD", "/download/a.bin", &[], 0);
    assert!(head.reply_to_head().status >= 429);
    assert_eq!(head.read_to_end(), b"");

    let tally = chaos.end();
    assert_eq!((&tally["requests"], &tally["errors"]), (&json!(32), &json!(32)));
    assert_eq!((&tally["up_passed_bytes"], &tally["down_bytes"]), (&json!(0), &json!(0)));
    assert_eq!(upload.status(&server)["completed_parts"], json!([]));
}

#[test]
fn a_swallowed_request_is_done_and_nobody_hears_of_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let chaos = Chaos::start(server.address(), &["--swallow-rate", "100%"]);
    let file = noise(1, MIB);
    let upload = Upload::begin(&server, "a.bin", file.len(), file.len());
    let mut connection = chaos.connect();
    connection.begin("PUT", &upload.path("part/1"), &[("Expect", "100-continue")], file.len());
    assert_eq!(connection.reply_to_head().status, 100);
    connection.write(&file);
    assert_eq!(connection.read_to_end(), b"");
    assert_eq!(upload.status(&server)["completed_parts"], json!([1]));
    let tally = chaos.end();
    assert_eq!((&tally["swallowed"], &tally["cuts"], &tally["errors"]), (&json!(1), &json!(0), &json!(0)));
}

#[test]
fn an_upload_that_is_tried_again_ends_well() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut chaos = Chaos::start(
        server.address(),
        &[
            "--cut-every",
            "1MiB",
            "--error-rate",
            "20%",
            "--swallow-rate",
            "10%",
            "--stall-every",
            "1MiB",
            "--stall",
            "5ms",
        ],
    );
    let file = noise(1, 5 * MIB);
    let upload = Upload::begin(&server, "a.bin", file.len(), MIB / 2);
    for number in 1..=10 {
        while !put_once(chaos.address, &upload, &file, number) {}
    }
    upload.complete(&server).ok();
    assert!(server.get("/download/a.bin").body == file);
    let tally = chaos.ask();
    for name in ["cuts", "errors", "swallowed", "stalls"] {
        assert!(tally[name].as_u64() > Some(0), "{name}: {tally}");
    }
}

/// Whether the server said that it has the part.
fn put_once(address: SocketAddr, upload: &Upload, file: &[u8], number: usize) -> bool {
    let mut connection = Connection::open(address);
    let part = upload.part(file, number);
    let path = upload.path(&format!("part/{number}"));
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        part.len()
    );
    connection.offer(head.as_bytes());
    connection.offer(part);
    connection.read_to_end().starts_with(b"HTTP/1.1 200")
}
