//! The documents' doors in front of a bucket: each tells in its own dialect what is wrong with a list of parts, and takes
//! the right one after it.

use serde_json::{Value, json};

use super::bucket::{Bucket, Front, MIB, Way, send_to};
use crate::support::{Reply, noise};

/// A protocol, as far as these tests speak it.
struct Dialect {
    /// The text that its users are shown when something is refused.
    told_in: &'static str,
    /// Gives the upload's id and key.
    begin: fn(&Front) -> (String, String),
    url: fn(&Front, &Name, usize) -> Reply,
    url_in: &'static str,
    complete: fn(&Front, &Name, &[(usize, String)]) -> Reply,
}

/// What an upload is called by its protocol.
struct Name {
    id: String,
    key: String,
}

fn text(reply: &Value, field: &str) -> String {
    reply[field].as_str().unwrap_or_else(|| panic!("no {field} in {reply}")).to_owned()
}

fn as_s3_writes_them(parts: &[(usize, String)]) -> Vec<Value> {
    parts.iter().map(|(number, tag)| json!({"PartNumber": number, "ETag": tag})).collect()
}

fn in_small_letters(parts: &[(usize, String)]) -> Vec<Value> {
    parts.iter().map(|(number, tag)| json!({"part_number": number, "etag": tag.trim_matches('"')})).collect()
}

/// Document 003.
const PRESIGN: Dialect = Dialect {
    told_in: "message",
    begin: |front| {
        let begun = front.ask("POST", "/api/uploads/multipart/init", &json!({"key": "presign/a b.bin"})).ok();
        (text(&begun, "upload_id"), text(&begun, "key"))
    },
    url: |front, name, number| {
        let asked = json!({"key": name.key, "upload_id": name.id, "part_number": number});
        front.ask("POST", "/api/uploads/multipart/part-url", &asked)
    },
    url_in: "url",
    complete: |front, name, parts| {
        let asked = json!({"key": name.key, "upload_id": name.id, "parts": as_s3_writes_them(parts)});
        front.ask("POST", "/api/uploads/multipart/complete", &asked)
    },
};

/// Document 000.
const MULTIPART: Dialect = Dialect {
    told_in: "detail",
    begin: |front| {
        let begun = front.ask("POST", "/api/multipart/create/", &json!({"filename": "a b.bin"})).ok();
        (text(&begun, "id"), text(&begun, "s3_key"))
    },
    url: |front, name, number| {
        let path = format!("/api/multipart/{}/presign/", name.id);
        front.ask("POST", &path, &json!({"part_number": number}))
    },
    url_in: "presigned_url",
    complete: |front, name, parts| {
        let path = format!("/api/multipart/{}/complete/", name.id);
        front.ask("POST", &path, &json!({"parts": in_small_letters(parts)}))
    },
};

/// Document 002.
const SIMPLE: Dialect = Dialect {
    told_in: "detail",
    begin: |front| {
        let begun = front.ask("POST", "/start-multipart-upload", &json!({"fileName": "a b.bin"})).ok();
        (text(&begun, "uploadId"), text(&begun, "key"))
    },
    url: |front, name, number| {
        let asked = json!({"uploadId": name.id, "key": name.key, "partNumber": number});
        front.ask("POST", "/get-presigned-url", &asked)
    },
    url_in: "presignedUrl",
    complete: |front, name, parts| {
        let asked = json!({"uploadId": name.id, "key": name.key, "parts": as_s3_writes_them(parts)});
        front.ask("POST", "/complete-multipart-upload", &asked)
    },
};

#[track_caller]
fn assert_told(dialect: &Dialect, reply: &Reply) {
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(!text(&reply.json(), dialect.told_in).is_empty(), "{}", reply.text());
}

#[track_caller]
fn walk(dialect: &Dialect) {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(131, 6 * MIB);
        let (id, key) = (dialect.begin)(&front);
        let name = Name { id, key };
        let mut right = Vec::new();
        for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
            let signed = (dialect.url)(&front, &name, number).ok();
            let reply = send_to("PUT", &text(&signed, dialect.url_in), bytes);
            assert_eq!(reply.status, 200, "{}", reply.text());
            right.push((number, reply.header("etag").unwrap().to_owned()));
        }
        let tag = |at: usize| right[at].1.clone();
        for wrong in [
            vec![(1, tag(0)), (2, tag(0))],
            vec![(1, tag(0)), (2, tag(1)), (3, tag(0))],
            vec![(1, tag(0)), (10_001, tag(1))],
            (1..=10_001).map(|number| (number, tag(0))).collect(),
        ] {
            assert_told(dialect, &(dialect.complete)(&front, &name, &wrong));
        }
        for number in [0, 10_001] {
            assert_told(dialect, &(dialect.url)(&front, &name, number));
        }
        let backwards: Vec<_> = right.iter().rev().cloned().collect();
        let done = (dialect.complete)(&front, &name, &backwards).ok();
        assert_eq!((dialect.complete)(&front, &name, &right).ok(), done);
        bucket.assert_holds(&name.key, &file);

        let (id, key) = (dialect.begin)(&front);
        let name = Name { id, key };
        let small: Vec<_> = [1, 2]
            .map(|number| {
                let signed = (dialect.url)(&front, &name, number).ok();
                let reply = send_to("PUT", &text(&signed, dialect.url_in), &[b'x'; 1000]);
                (number, reply.header("etag").unwrap().to_owned())
            })
            .into();
        assert_told(dialect, &(dialect.complete)(&front, &name, &small));
    }
}

#[test]
fn document_003s_door_tells_what_is_wrong_with_a_list() {
    walk(&PRESIGN);
}

#[test]
fn document_000s_door_tells_what_is_wrong_with_a_list() {
    walk(&MULTIPART);
}

#[test]
fn document_002s_door_tells_what_is_wrong_with_a_list() {
    walk(&SIMPLE);
}
