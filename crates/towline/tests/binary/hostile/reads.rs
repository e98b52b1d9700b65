//! Reading: ranges beyond reason, and heads without bodies wherever something can be read.

use crate::support::{House, Upload, noise};

fn with_a_file() -> (House, Upload, Vec<u8>) {
    let house = House::start(&[]);
    let file = noise(1, 1000);
    let upload = Upload::begin(&house.server, "a.bin", file.len(), 600);
    upload.put(&house.server, &file, 1).ok();
    upload.put(&house.server, &file, 2).ok();
    upload.complete(&house.server).ok();
    (house, upload, file)
}

#[test]
fn ranges_beyond_reason_get_the_file_or_a_refusal() {
    let (house, _, file) = with_a_file();
    let many: Vec<String> = (0..900).map(|at| format!("{at}-{at}")).collect();
    let many = format!("bytes={}", many.join(","));
    let overlapping = format!("bytes={}", vec!["0-"; 900].join(","));
    let whole = || Some(file.clone());
    for (range, status, body) in [
        ("bytes=0-0", 206, Some(file[..1].to_vec())),
        ("bytes=999-", 206, Some(file[999..].to_vec())),
        ("bytes=990-18446744073709551615", 206, Some(file[990..].to_vec())),
        ("bytes=-1", 206, Some(file[999..].to_vec())),
        ("bytes=-18446744073709551615", 206, whole()),
        ("bytes=1000-", 416, None),
        ("bytes=18446744073709551615-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 200, whole()),
        ("bytes=a-b", 200, whole()),
        ("bytes=", 200, whole()),
        ("items=0-1", 200, whole()),
        (&many, 200, whole()),
        (&overlapping, 200, whole()),
    ] {
        let reply = house.server.connect().send("GET", "/download/a.bin", &[("Range", range)], b"");
        let shown = &range[..range.len().min(60)];
        assert_eq!(reply.status, status, "{shown}");
        assert!(body.is_none_or(|body| body == reply.body), "{shown}");
    }
    let beyond = house.server.connect().send("GET", "/download/a.bin", &[("Range", "bytes=1000-")], b"");
    assert_eq!(beyond.header("content-range"), Some("bytes */1000"));
    let huge = "bytes=99999999999999999999-99999999999999999999,-99999999999999999999";
    let reply = house.server.connect().send("GET", "/download/a.bin", &[("Range", huge)], b"");
    assert!([200, 206, 416].contains(&reply.status), "{}", reply.status);
    house.check();
}

#[test]
fn a_head_is_that_of_the_get_without_its_body() {
    let (house, upload, _) = with_a_file();
    let mut connection = house.server.connect();
    for path in [
        "/health",
        "/ready",
        "/sessions",
        "/sessions?limit=0",
        "/download/a.bin",
        "/download/none.bin",
        "/api/docs",
        "/api/openapi.json",
        "/api/errors",
        "/nothing",
        &upload.path("status"),
        &upload.path("parts"),
        &upload.path("events"),
        "/upload/nobody/status",
    ] {
        let get = house.server.get(path);
        connection.begin("HEAD", path, &[], 0);
        let head = connection.reply_to_head();
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-type", "content-length", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
        // Bytes of a body would be taken for this reply.
        assert_eq!(connection.send("GET", "/health", &[], b"").status, 200, "{path}");
    }
    house.check();
}

#[test]
fn a_head_of_an_open_uploads_events_does_not_wait_for_them() {
    let house = House::start(&[]);
    let upload = Upload::begin(&house.server, "a.bin", 10, 5);
    let mut connection = house.server.connect();
    connection.begin("HEAD", &upload.path("events"), &[], 0);
    assert_eq!(connection.reply_to_head().status, 200);
    assert_eq!(connection.send("GET", "/health", &[], b"").status, 200);
    house.check();
}
