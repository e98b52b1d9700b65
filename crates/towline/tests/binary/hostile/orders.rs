//! Beginnings of uploads that cannot be: every field, wrong in every way.

use serde_json::{Value, json};

use super::assert_refused;
use crate::support::{House, Reply};

fn begin(house: &House, body: &[u8]) -> Reply {
    house.server.connect().send("POST", "/upload/init", &[], body)
}

#[test]
fn a_field_that_is_not_what_it_must_be_is_named() {
    let house = House::start(&[]);
    let numbers = ["-1", "1.5", "1e3", "-0.0", "\"10\"", "true", "[1]", "{\"a\":1}", "18446744073709551616"];
    let texts = ["7", "true", "[]", "{}", "[\"a\"]"];
    let cases: [(&str, &[&str]); 12] = [
        ("file_size", &numbers),
        ("file_size", &["null"]),
        ("chunk_size", &numbers),
        ("chunk_size", &["0"]),
        ("filename", &texts),
        ("filename", &["null", "\"\"", "\"..\"", "\"a/../b\"", "\"/a\"", "\"a\\u0000b\""]),
        ("key", &["\"\"", "\"../b\"", "\"a\\nb\"", "7", "\"a/\""]),
        ("file_hash", &["7", "\"\"", "\"xyz\"", "\"00\"", "\"zz\""]),
        ("hash_algorithm", &["7", "\"\"", "\"md4\"", "\"none\""]),
        ("content_type", &["7", "\"text/\\nhtml\""]),
        ("fingerprint", &["7", "\"\"", "\"a\\u0001\""]),
        ("idempotency_key", &["7", "\"\"", "\"a\\u007f\""]),
    ];
    for (field, values) in cases {
        for value in values {
            let mut fields = vec![("filename", "\"a\""), ("file_size", "10")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let body: Vec<String> =
                fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let body = format!("{{{}}}", body.join(","));
            assert_refused(&begin(&house, body.as_bytes()), (400, "bad-field", Some(field)), &body);
        }
    }
    house.check();
}

#[test]
fn what_is_missing_twice_or_too_long_is_named() {
    let house = House::start(&[]);
    let order = |field: &str, value: Value| {
        let mut order = json!({"filename": "a", "file_size": 10});
        order[field] = value;
        order.to_string()
    };
    let many: serde_json::Map<String, Value> = (0..65).map(|at| (at.to_string(), json!(""))).collect();
    for (body, field) in [
        ("{}".to_owned(), "filename"),
        (json!({"filename": "a"}).to_string(), "file_size"),
        ("{\"filename\":\"a\",\"filename\":\"b\",\"file_size\":1}".to_owned(), "filename"),
        ("{\"file_size\":1,\"filename\":\"a\",\"file_size\":1}".to_owned(), "file_size"),
        (order("filename", json!("n".repeat(2000))), "filename"),
        (order("filename", json!("n".repeat(300))), "filename"),
        (order("content_type", json!("t".repeat(256))), "content_type"),
        (order("fingerprint", json!("f".repeat(513))), "fingerprint"),
        (order("idempotency_key", json!("i".repeat(513))), "idempotency_key"),
        (order("metadata", json!({"a": 1})), "metadata.a"),
        (order("metadata", json!(["a"])), "metadata"),
        (order("metadata", json!(many)), "metadata"),
        (order("metadata", json!({"a": "x".repeat(9000)})), "metadata"),
        (order("metadata", json!({"a": "\n"})), "metadata"),
    ] {
        assert_refused(&begin(&house, body.as_bytes()), (400, "bad-field", Some(field)), &body);
    }
    for key in ["\u{e4}", "\"\""] {
        let body = order("key", json!("b"));
        let headers = [("Idempotency-Key", key)];
        let reply = house.server.connect().send("POST", "/upload/init", &headers, body.as_bytes());
        assert_eq!(
            (reply.status, reply.json()["type"].as_str()),
            (400, Some("/api/errors#bad-field")),
            "{key}"
        );
    }
    let huge = order("file_size", json!(i64::MAX));
    assert_refused(&begin(&house, huge.as_bytes()), (413, "too-large", None), &huge);
    house.check();
}

#[test]
fn what_is_no_json_is_refused_as_a_body() {
    let house = House::start(&[]);
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        b"".as_slice(),
        b"null",
        b"[]",
        b"7",
        b"\"filename\"",
        b"{",
        b"{\"filename\":\"a\",\"file_size\":1}}",
        b"{'filename':'a'}",
        b"{\"filename\":\"\\ud800\",\"file_size\":1}",
        b"{\"filename\":\"a\",\"file_size\":1e400}",
        b"{\"filename\":\"a\",\"file_size\":NaN}",
        b"filename=a&file_size=1",
        b"{\"filename\":\"\xff\",\"file_size\":1}",
        b"\xef\xbb\xbf{\"filename\":\"a\",\"file_size\":1}",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        &[0; 1000],
        &utf16,
        deep.as_bytes(),
        deep_objects.as_bytes(),
    ] {
        let reply = begin(&house, body);
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(reply.json()["type"], "/api/errors#bad-field");
        assert!(reply.json()["field"].is_string(), "{}", reply.text());
    }
    house.check();
}

#[test]
fn a_bomb_in_a_field_that_nobody_reads_does_not_go_off() {
    let house = House::start(&[]);
    for bomb in ["[".repeat(500_000) + &"]".repeat(500_000), "9".repeat(1_000_000), "[1,2,3]".to_owned()] {
        let body = format!("{{\"filename\":\"a\",\"unknown\":{bomb},\"file_size\":-1}}");
        let reply = begin(&house, body.as_bytes());
        assert_eq!((reply.status, reply.json()["type"].as_str()), (400, Some("/api/errors#bad-field")));
    }
    let nested = format!("{{\"filename\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_refused(&begin(&house, nested.as_bytes()), (400, "bad-field", Some("filename")), "nested");
    house.check();
}

#[test]
fn a_body_beyond_a_mebibyte_is_refused_whole() {
    let house = House::start(&[]);
    let mut connection = house.server.connect();
    for bytes in [1 << 20, 4 << 20] {
        let body = json!({"filename": "a", "file_size": 1, "x": "y".repeat(bytes)}).to_string();
        let reply = connection.send("POST", "/upload/init", &[], body.as_bytes());
        assert_refused(&reply, (413, "body-too-large", None), "large");
    }
    assert_eq!(connection.send("GET", "/health", &[], b"").status, 200, "the connection goes on");
    house.check();
}
