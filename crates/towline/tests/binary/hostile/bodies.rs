//! Bodies of parts: cut, long, short, slow, badly framed, or of another kind than they say.

use std::time::{Duration, Instant};

use serde_json::json;

use super::assert_refused;
use crate::support::{Connection, House, Reply, Upload, noise};

const PART: usize = 64 * 1024;
const PAUSE: Duration = Duration::from_millis(50);

/// An upload of two parts in a house whose waits are short.
fn begin() -> (House, Upload, Vec<u8>) {
    let house = House::start(&["--body-idle-timeout", "1s", "--min-body-rate", "16KiB"]);
    let file = noise(1, 2 * PART);
    let upload = Upload::begin(&house.server, "a.bin", file.len(), PART);
    (house, upload, file)
}

/// Nothing of what was refused is kept, and the upload comes to its end as if nothing had been.
#[track_caller]
fn finish(house: House, upload: &Upload, file: &[u8]) {
    assert_eq!(upload.status(&house.server)["completed_parts"], json!([]));
    for number in [1, 2] {
        upload.put(&house.server, file, number).ok();
    }
    upload.complete(&house.server).ok();
    assert!(house.server.get("/download/a.bin").body == file);
    house.check();
}

fn put(house: &House, upload: &Upload, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    house.server.connect().send("PUT", &upload.path("part/1"), headers, body)
}

#[test]
fn a_part_of_another_size_is_refused() {
    let (house, upload, file) = begin();
    for bytes in [0, 1, PART - 1, PART + 1, 2 * PART] {
        let reply = put(&house, &upload, &[], &file[..bytes]);
        assert_refused(&reply, (400, "part-size", None), &bytes.to_string());
    }
    finish(house, &upload, &file);
}

#[test]
fn a_header_that_is_not_what_it_must_be_is_named() {
    let (house, upload, file) = begin();
    let sha = "x-amz-checksum-sha256";
    for (header, value) in [
        ("X-Part-Hash", "d41d8cd9"),
        ("X-Part-Hash", "\u{e4}"),
        ("X-Part-Hash", ""),
        ("Content-MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("Content-Digest", "md5=7"),
        ("Repr-Digest", "sha-256=:AA==:"),
        (sha, "!!!!"),
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "identity, br"),
        ("Content-Type", "multipart/form-data"),
    ] {
        let reply = put(&house, &upload, &[(header, value)], &file[..PART]);
        assert_refused(&reply, (400, "bad-field", Some(header)), &format!("{header}: {value}"));
    }
    for (header, value) in [
        ("X-Part-Hash", "d41d8cd98f00b204e9800998ecf8427e"),
        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
    ] {
        let reply = put(&house, &upload, &[(header, value)], &file[..PART]);
        assert_refused(&reply, (400, "part-digest", None), header);
    }
    finish(house, &upload, &file);
}

#[test]
fn a_form_that_is_none_is_refused() {
    let (house, upload, file) = begin();
    let content_type = "multipart/form-data; boundary=b";
    let field = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    let other = field.replace("file", "other");
    let long_head = format!("--b\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let (part, end) = (&file[..PART], b"\r\n--b--\r\n".as_slice());
    for body in [
        b"".to_vec(),
        end.to_vec(),
        [other.as_bytes(), part, end].concat(),
        [field.as_bytes(), part].concat(),
        [field.as_bytes(), part, b"\r\n--"].concat(),
        [long_head.as_bytes(), part, end].concat(),
        vec![b'-'; 1 << 20],
    ] {
        let reply = put(&house, &upload, &[("Content-Type", content_type)], &body);
        assert_refused(&reply, (400, "bad-field", Some("body")), "form");
    }
    for bytes in [0, PART - 1, 2 * PART] {
        let body = [field.as_bytes(), &file[..bytes], end].concat();
        let reply = put(&house, &upload, &[("Content-Type", content_type)], &body);
        assert_refused(&reply, (400, "part-size", None), &bytes.to_string());
    }
    let long_boundary = format!("multipart/form-data; boundary={}", "b".repeat(201));
    let reply = put(&house, &upload, &[("Content-Type", &long_boundary)], part);
    assert_refused(&reply, (400, "bad-field", Some("Content-Type")), "boundary");
    finish(house, &upload, &file);
}

/// A PUT whose body comes in chunks, which are written as they are.
fn begin_chunked(house: &House, upload: &Upload) -> Connection {
    let mut connection = house.server.connect();
    let path = upload.path("part/1");
    connection
        .write(format!("PUT {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes());
    connection
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[test]
fn chunks_with_bad_framing_are_refused() {
    let (house, upload, file) = begin();
    let part = &file[..PART];
    let last = b"0\r\n\r\n".as_slice();
    let extension = format!("1;{}\r\n", "x".repeat(100_000));
    for (body, kind) in [
        (b"zz\r\n".to_vec(), "body-cut"),
        (b"-1\r\n".to_vec(), "body-cut"),
        (b"ffffffffffffffffff\r\n".to_vec(), "body-cut"),
        (extension.into_bytes(), "body-cut"),
        ([b"4\r\nabcdXX".as_slice(), last].concat(), "body-cut"),
        ([&chunk(part)[..], b"x: y\r\n0\r\n\r\n"].concat(), "body-cut"),
        ([chunk(&part[1..]), last.to_vec()].concat(), "part-size"),
        ([chunk(part), chunk(b"x"), last.to_vec()].concat(), "part-size"),
        (last.to_vec(), "part-size"),
    ] {
        let mut connection = begin_chunked(&house, &upload);
        connection.offer(&body);
        assert_refused(
            &connection.reply(),
            (400, kind, None),
            &String::from_utf8_lossy(&body[..body.len().min(20)]),
        );
    }
    finish(house, &upload, &file);
}

#[test]
fn chunks_of_a_byte_each_are_a_part_all_the_same() {
    let house = House::start(&[]);
    let file = noise(1, 2 * PART);
    let upload = Upload::begin(&house.server, "a.bin", file.len(), PART);
    let mut connection = begin_chunked(&house, &upload);
    let body: Vec<u8> = file[..PART].iter().flat_map(|byte| chunk(&[*byte])).collect();
    connection.write(&[&body[..], b"0\r\nTrailer: is ignored\r\n\r\n"].concat());
    assert_eq!(connection.reply().ok()["size"], PART);
    upload.put(&house.server, &file, 2).ok();
    upload.complete(&house.server).ok();
    assert!(house.server.get("/download/a.bin").body == file);
    house.check();
}

#[test]
fn a_connection_that_closes_in_mid_part_leaves_nothing() {
    let (house, upload, file) = begin();
    for sent_bytes in [0, 1, PART / 2, PART - 1] {
        drop(upload.begin_put(&house.server, &file, 1, sent_bytes));
        let mut half_closed = upload.begin_put(&house.server, &file, 1, sent_bytes);
        half_closed.end();
        let said = String::from_utf8(half_closed.read_to_end()).unwrap();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    let mut chunked = begin_chunked(&house, &upload);
    chunked.write(&chunk(&file[..PART]));
    drop(chunked);
    finish(house, &upload, &file);
}

#[test]
fn a_body_that_falls_silent_or_drips_is_cut_by_its_deadline() {
    let (house, upload, file) = begin();
    let began = Instant::now();
    let mut silent = upload.begin_put(&house.server, &file, 1, PART / 2);
    let mut dripping = upload.begin_put(&house.server, &file, 2, 1000);
    assert_refused(&silent.reply(), (408, "body-too-slow", None), "silent");
    dripping.drip(std::iter::repeat_n(b'x', 600), PAUSE);
    assert_refused(&dripping.reply(), (408, "body-too-slow", None), "dripping");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    finish(house, &upload, &file);
}

#[test]
fn a_client_that_asks_first_is_refused_before_it_sends_and_else_told_to_go_on() {
    let (house, upload, file) = begin();
    let expecting = [("Expect", "100-continue")];
    for (path, refusal) in [
        (upload.path("part/1"), (400, "part-size", None)),
        (upload.path("part/9"), (400, "part-out-of-range", None)),
        ("/upload/01234567-89ab-4def-8123-456789abcdef/part/1".to_owned(), (404, "upload-not-found", None)),
        ("/nothing".to_owned(), (404, "no-route", None)),
    ] {
        let mut connection = house.server.connect();
        connection.begin("PUT", &path, &expecting, 1 << 40);
        let reply = connection.reply();
        assert_refused(&reply, refusal, &path);
        assert_eq!(reply.header("connection"), Some("close"), "{path}");
        connection.read_to_end();
    }
    let mut connection = house.server.connect();
    connection.begin("PUT", &upload.path("part/1"), &expecting, PART);
    assert_eq!(connection.reply_to_head().status, 100);
    connection.write(&noise(2, PART)[1..]);
    drop(connection);
    finish(house, &upload, &file);
}

#[test]
fn the_answer_to_a_large_refused_body_arrives_and_the_connection_goes_on() {
    let (house, upload, file) = begin();
    let body = noise(3, 8 << 20);
    let mut connection = house.server.connect();
    for path in [upload.path("part/1"), "/download/a.bin".to_owned(), "/nowhere".to_owned()] {
        let reply = connection.send("PUT", &path, &[], &body);
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
        assert!(reply.json()["detail"].is_string(), "{path}");
    }
    assert_eq!(connection.send("GET", "/health", &[], b"").status, 200);
    finish(house, &upload, &file);
}
