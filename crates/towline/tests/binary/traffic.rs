//! What the listener does with traffic that is not as it should be, and what it says of itself.

use serde_json::json;

use crate::support::{Server, Upload, noise};

#[test]
fn the_start_up_line_says_what_is_served_and_where() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(data.path(), |command| {
        command.args(["--log-format", "json", "--log-level", "off", "--disk-sync=false"]);
    });
    let log = server.kill();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 1, "{log}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    let data = data.path().canonicalize().unwrap();
    let address = server.address();
    assert_eq!(
        line["message"],
        format!(
            "towline {} serves http://{address} (data {}, sqlite + disk, not durable, anonymous)",
            env!("CARGO_PKG_VERSION"),
            data.display()
        )
    );
}

#[test]
fn what_is_no_http_is_answered_and_the_server_lives() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let long_header = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000));
    for (sent, status) in [
        ("\r\n\r\nhello\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"),
        (&long_header, "431"),
        (&many_headers, "431"),
        (&long_target, "414"),
    ] {
        let mut connection = server.connect();
        connection.write(sent.as_bytes());
        let reply = connection.reply();
        assert_eq!(reply.status.to_string(), status, "{}", &sent[..sent.len().min(80)]);
    }
    assert_eq!(server.get("/health").ok(), json!({"status": "healthy"}));
}

#[test]
fn a_refusal_before_the_body_was_read_arrives_whole() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let path = "/upload/01234567-89ab-4def-8123-456789abcdef/part/1";
    // The doors read 64 MiB away; what comes after that is the listener's.
    for mib in [8, 70] {
        let body = noise(1, mib << 20);
        assert_eq!(server.connect().send("PUT", path, &[], &body).status, 404, "{mib} MiB");
    }
}

#[test]
fn a_reader_that_has_gone_silent_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(data.path(), |command| {
        command.args(["--body-idle-timeout", "200ms", "--log-level", "debug"]);
    });
    let file = noise(1, 32 << 20);
    let upload = Upload::begin(&server, "a.bin", file.len(), file.len());
    upload.put(&server, &file, 1).ok();
    upload.complete(&server).ok();
    let mut silent = server.connect();
    silent.begin("GET", "/download/a.bin", &[], 0);
    server.wait_for_line("nobody reads the reply");
    assert!(silent.read_to_end().len() < file.len());
}

#[test]
fn metrics_count_what_happened() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let file = noise(1, 1000);
    let upload = Upload::begin(&server, "a.bin", file.len(), 1000);
    upload.put(&server, &file, 1).ok();
    upload.complete(&server).ok();
    let reply = server.get("/metrics");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    assert!(reply.header("x-request-id").is_some());
    let text = reply.text();
    for line in [
        "towline_uploads_created_total 1",
        "towline_parts_landed_total 1",
        "towline_bytes_landed_total 1000",
        "towline_uploads_sealed_total 1",
        "towline_open_requests 1",
        "towline_request_seconds_count{door=\"session\",status=\"2xx\"} 3",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
    }
}
