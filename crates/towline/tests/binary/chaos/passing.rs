//! What passes: the same bytes, both ways, whatever the line is like.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::Chaos;
use crate::support::{Server, Upload, noise};

const MIB: usize = 1 << 20;

/// A server that takes one connection, reads all, and sends all of it back.
fn echo() -> (std::net::SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        client.write_all(&all).unwrap();
    });
    (address, serving)
}

/// Sends bytes that are no HTTP through a line; gives its tally.
#[track_caller]
fn send_through(arguments: &[&str], bytes: usize) -> Value {
    let (address, serving) = echo();
    let chaos = Chaos::start(address, arguments);
    let file = noise(1, bytes);
    let mut stream = TcpStream::connect(chaos.address).unwrap();
    stream.write_all(&file).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert!(back == file, "{arguments:?}: {} bytes came back", back.len());
    serving.join().unwrap();
    let tally = chaos.end();
    for name in ["up_bytes", "up_passed_bytes", "down_bytes", "down_passed_bytes"] {
        assert_eq!(tally[name], bytes, "{arguments:?}: {name}");
    }
    assert_eq!((&tally["connections"], &tally["cuts"]), (&1.into(), &0.into()));
    tally
}

#[test]
fn bytes_pass_unchanged_in_order_and_to_the_last() {
    for arguments in [
        &[][..],
        &["--latency", "20ms", "--jitter", "10ms"],
        &["--rate", "400mbit", "--latency", "5ms", "--window", "256KiB"],
        &["--line-rate", "800mbit"],
    ] {
        let tally = send_through(arguments, 8 * MIB);
        assert_eq!((&tally["losses"], &tally["stalls"]), (&0.into(), &0.into()));
    }
}

#[test]
fn lost_packets_and_silences_are_late_and_nothing_else() {
    let tally = send_through(&["--loss", "0.05%", "--stall-every", "1MiB", "--stall", "10ms"], 8 * MIB);
    assert!(tally["losses"].as_u64() > Some(0) && tally["stalls"].as_u64() > Some(2), "{tally}");
}

#[test]
fn an_upload_passes_with_kept_connections_chunks_and_calls_for_bodies() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let mut chaos = Chaos::start(server.address(), &["--latency", "2ms"]);
    let file = noise(1, 3 * MIB);
    let upload = Upload::begin(&server, "a.bin", file.len(), MIB);
    let mut connection = chaos.connect();
    // A whole body, a body that is called for, and one in chunks: on one connection.
    let path = |number: usize| upload.path(&format!("part/{number}"));
    connection.send("PUT", &path(1), &[], upload.part(&file, 1)).ok();
    connection.begin("PUT", &path(2), &[("Expect", "100-continue")], MIB);
    assert_eq!(connection.reply_to_head().status, 100);
    connection.write(upload.part(&file, 2));
    connection.reply().ok();
    let head = format!("PUT {} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n", path(3));
    connection.write(head.as_bytes());
    for chunk in upload.part(&file, 3).chunks(100_000) {
        connection.write(format!("{:x};a=b\r\n", chunk.len()).as_bytes());
        connection.write(chunk);
        connection.write(b"\r\n");
    }
    connection.write(b"0\r\n\r\n");
    connection.reply().ok();
    connection.send("POST", &upload.path("complete"), &[], b"{}").ok();
    let reply = connection.send("GET", "/download/a.bin", &[], b"");
    assert!(reply.body == file, "{} {} bytes", reply.status, reply.body.len());
    assert_eq!(connection.send("GET", "/health", &[], b"").status, 200);
    let tally = chaos.ask();
    assert_eq!((&tally["connections"], &tally["requests"]), (&1.into(), &6.into()));
    assert_eq!(tally["up_bytes"], tally["up_passed_bytes"]);
    assert_eq!(tally["down_bytes"], tally["down_passed_bytes"]);
    assert!(tally["up_bytes"].as_u64() > Some(3 << 20), "{tally}");
}

#[test]
fn a_slow_line_takes_little_and_leaves_the_rest_with_its_sender() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut chaos = Chaos::start(listener.local_addr().unwrap(), &["--rate", "8kbit"]);
    let stream = TcpStream::connect(chaos.address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let (mut ahead_bytes, file) = (0, noise(1, 64 * 1024));
    // Until nothing more fits. What the sender's own system keeps of it is its choice: with BBR 1.3 MB.
    while let Ok(bytes) = (&stream).write(&file) {
        ahead_bytes += bytes;
    }
    assert!(ahead_bytes < 3 * MIB, "{ahead_bytes}");
    assert!(chaos.ask()["up_bytes"].as_u64() < Some(64 * 1024));
}
