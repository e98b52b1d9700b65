//! Heads of requests: targets that try to escape, framing that lies, headers without end, and heads that never end.

use std::time::{Duration, Instant};

use serde_json::json;

use super::assert_refused;
use crate::support::{House, Reply, Upload};

/// Sends bytes as they are.
fn say(house: &House, bytes: &[u8]) -> Reply {
    let mut connection = house.server.connect();
    connection.offer(bytes);
    connection.reply()
}

#[test]
fn a_path_that_tries_to_escape_finds_nothing() {
    let house = House::start(&[]);
    let key = (400, "bad-field", Some("key"));
    for (target, refusal) in [
        ("/download/../catalog.sqlite", key),
        ("/download/..%2fcatalog.sqlite", key),
        ("/download/%2e%2e/%2e%2e/etc/passwd", key),
        ("/download/%2e%2e%2fcatalog.sqlite", key),
        ("/download/%2fetc%2fpasswd", key),
        ("/download//etc/passwd", key),
        ("/download/a%00b", key),
        ("/download/a%0d%0aSet-Cookie:%20a=b", key),
        ("/download/%ff%fe", (400, "bad-field", Some("path"))),
        ("/download/%252e%252e%252fcatalog.sqlite", (404, "file-not-found", None)),
        ("/download/..%5ccatalog.sqlite", (404, "file-not-found", None)),
        ("/download/%zz", (404, "file-not-found", None)),
        ("/upload/../sessions", (404, "no-route", None)),
        ("/upload/..%2fstaging/status", (404, "upload-not-found", None)),
        ("/upload/%00/status", (404, "upload-not-found", None)),
        ("/upload/%ff/status", (400, "bad-field", Some("path"))),
        ("/api/../api/docs", (404, "no-route", None)),
        ("//health", (404, "no-route", None)),
        ("/", (404, "no-route", None)),
    ] {
        let reply = house.server.get(target);
        assert_refused(&reply, refusal, target);
    }
    house.check();
}

#[test]
fn numbers_in_paths_and_queries_are_whole_and_within_bounds() {
    let house = House::start(&[]);
    let upload = Upload::begin(&house.server, "a.bin", 10, 5);
    let number = (400, "bad-field", Some("part_number"));
    let outside = (400, "part-out-of-range", None);
    for (text, refusal) in [
        ("-1", number),
        ("+1", number),
        ("1.5", number),
        ("1e0", number),
        ("0x1", number),
        ("%31%20", number),
        ("one", number),
        ("%D9%A3", number),
        ("18446744073709551616", number),
        ("0", outside),
        ("3", outside),
        ("4294967297", outside),
        ("18446744073709551615", outside),
    ] {
        let path = upload.path(&format!("part/{text}"));
        assert_refused(&house.server.connect().send("PUT", &path, &[], b"01234"), refusal, text);
    }
    for (path, field) in [
        ("/sessions?limit=0", "limit"),
        ("/sessions?limit=1001", "limit"),
        ("/sessions?limit=-1", "limit"),
        ("/sessions?limit=", "limit"),
        ("/sessions?status=lost", "status"),
        ("/sessions?status=completed%00", "status"),
        ("/sessions?after=x", "after"),
        ("/sessions?after=99999999999999999999.0", "after"),
        (&upload.path("parts?after=-1"), "after"),
        (&upload.path("parts?after=4294967296"), "after"),
        (&upload.path("parts?limit=0"), "limit"),
    ] {
        assert_refused(&house.server.get(path), (400, "bad-field", Some(field)), path);
    }
    house.check();
}

#[test]
fn heads_that_are_no_heads_are_refused() {
    let house = House::start(&[]);
    let many = format!("GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let name = format!("GET /health HTTP/1.1\r\nHost: a\r\n{}: y\r\n\r\n", "n".repeat(70_000));
    for (bytes, status) in [
        (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (many.as_bytes(), 431),
        (name.as_bytes(), 431),
    ] {
        let reply = say(&house, bytes);
        assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(100)]));
    }
    house.check();
}

#[test]
fn unusual_but_proper_heads_are_answered() {
    let house = House::start(&[]);
    let long_method = format!("{} /health HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(5000));
    for (bytes, status) in [
        ("GET /health HTTP/1.0\r\n\r\n", 200),
        ("GET http://elsewhere.example/health HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /health?a=%ff&&&=# HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET health HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("TRACE /health HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("get /health HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("PATCH /upload/init HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
        (&long_method, 405),
    ] {
        let reply = say(&house, bytes.as_bytes());
        assert_eq!(reply.status, status, "{}", &bytes[..bytes.len().min(100)]);
        if status == 405 {
            assert!(reply.header("allow").is_some_and(|allow| !allow.is_empty()), "{reply:?}");
        }
    }
    house.check();
}

/// Two lengths in one head: whichever holds, what comes behind must not become a request that nobody sent.
#[test]
fn a_request_is_not_smuggled_behind_another() {
    let house = House::start(&[]);
    let upload = Upload::begin(&house.server, "a.bin", 10, 5);
    let smuggled = format!("DELETE /upload/{} HTTP/1.1\r\nHost: a\r\n\r\n", upload.id);
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Content-Length: 05,5\r\n",
    ] {
        let mut connection = house.server.connect();
        let head = format!("POST {} HTTP/1.1\r\nHost: a\r\n{framing}\r\n", upload.path("parts"));
        connection.offer(format!("{head}0\r\n\r\n{smuggled}").as_bytes());
        connection.end();
        let said = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        assert!(!said.contains("cancelled"), "{framing}: {said}");
        assert_eq!(upload.status(&house.server)["status"], "in_progress", "{framing}");
    }
    house.check();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let house = House::start(&[]);
    let upload = Upload::begin(&house.server, "a.bin", 10, 5);
    let put =
        |number| format!("PUT {} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n01234", upload.path(number));
    let ask =
        |method, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    let all = [
        put("part/1"),
        put("part/9"),
        ask("POST", &upload.path("complete")),
        put("part/2"),
        ask("POST", &upload.path("complete")),
        ask("POST", &upload.path("complete")),
        ask("GET", "/download/a.bin"),
    ];
    let mut connection = house.server.connect();
    connection.write((all.concat() + &ask("GET", "/health").repeat(100)).as_bytes());
    let replies: Vec<Reply> = (0..all.len()).map(|_| connection.reply()).collect();
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 400, 400, 200, 200, 200, 200]);
    assert_eq!(replies[4].body, replies[5].body);
    assert_eq!(replies[6].body, b"0123401234");
    for _ in 0..100 {
        assert_eq!(connection.reply().ok(), json!({"status": "healthy"}));
    }
    house.check();
}

#[test]
fn a_head_that_never_ends_is_cut() {
    let house = House::start(&["--header-timeout", "1s"]);
    let began = Instant::now();
    let mut connection = house.server.connect();
    connection.write(b"GET /health HTTP/1.1\r\nHost: a\r\nX: ");
    connection.drip(std::iter::repeat_n(b'x', 600), Duration::from_millis(50));
    connection.read_to_end();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    house.check();
}
