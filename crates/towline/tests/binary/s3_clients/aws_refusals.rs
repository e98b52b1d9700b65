//! What the AWS CLI is refused, by the codes of S3's that it shows.

use serde_json::json;

use super::aws_parts::Parts;
use super::stage::{MIB, Stage, text};
use crate::support::noise;

#[test]
fn wrong_secrets_unknown_keys_and_other_buckets_are_refused() {
    let stage = Stage::new();
    let path = stage.write("in.bin", b"abc");
    let put = ["s3api", "put-object", "--bucket", "towline", "--key", "a.bin", "--body", text(&path)];
    stage.refused_as(("AKIATOWLINETESTS", "another secret"), "SignatureDoesNotMatch", &put);
    stage.refused_as(("AKIANOBODY", "another secret"), "InvalidAccessKeyId", &put);
    stage.refused("NoSuchBucket", &put.map(|word| if word == "towline" { "another" } else { word }));
    stage.refused("NoSuchKey", &["s3api", "get-object", "--bucket", "towline", "--key", "none", "out"]);
    stage.refused("404", &["s3api", "head-object", "--bucket", "towline", "--key", "none"]);
    stage.refused("InvalidRange", &{
        stage.aws(&put);
        ["s3api", "get-object", "--bucket", "towline", "--key", "a.bin", "--range", "bytes=3-", "out"]
    });
    let md5 = ["--content-md5", "!"];
    stage.refused("InvalidDigest", &[&put[..], &md5].concat());
    stage.check();
}

#[test]
fn keys_that_no_file_can_have_are_refused() {
    let stage = Stage::new();
    let path = stage.write("in.bin", b"abc");
    let long = "n".repeat(1025);
    for (key, code) in [
        ("a/../b", "InvalidArgument"),
        ("/etc/passwd", "InvalidArgument"),
        ("a//b", "InvalidArgument"),
        (&long, "KeyTooLongError"),
    ] {
        stage.refused(
            code,
            &["s3api", "put-object", "--bucket", "towline", "--key", key, "--body", text(&path)],
        );
    }
    stage.check();
}

#[test]
fn part_numbers_beyond_10000_are_refused() {
    let stage = Stage::new();
    let path = stage.write("in.bin", b"abc");
    let upload = Parts::begin(&stage, "numbers.bin");
    for number in ["0", "10001"] {
        let part = ["--part-number", number, "--body", text(&path)];
        stage.refused("InvalidArgument", &[&["s3api"], &upload.of("upload-part")[..], &part].concat());
    }
    stage.check();
}

#[test]
fn a_list_that_is_not_of_what_landed_is_refused_and_can_be_corrected() {
    let stage = Stage::new();
    let file = noise(31, 10 * MIB);
    let mut upload = Parts::begin(&stage, "corrected.bin");
    for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
        upload.send(&stage, number, bytes);
    }
    let right: serde_json::Value = serde_json::from_str(&upload.list()).unwrap();
    let (one, two) = (&right["Parts"][0], &right["Parts"][1]);
    let none = json!({"PartNumber": 3, "ETag": one["ETag"]});
    let swapped = json!({"PartNumber": 2, "ETag": one["ETag"]});
    for (code, parts) in [
        ("InvalidPart", json!([one, two, none])),
        ("InvalidPart", json!([one, swapped])),
        ("InvalidPartOrder", json!([two, one])),
        ("InvalidPartOrder", json!([one, one])),
        ("MalformedXML", json!([])),
    ] {
        let list = json!({"Parts": parts}).to_string();
        let complete = upload.of("complete-multipart-upload");
        stage.refused(code, &[&["s3api"], &complete[..], &["--multipart-upload", &list]].concat());
    }
    assert!(!stage.has("corrected.bin"));
    upload.complete(&stage);
    stage.assert_arrived("corrected.bin", &file);
    stage.check();
}

#[test]
fn parts_below_5_mib_are_refused_when_they_are_joined() {
    let stage = Stage::new();
    let mut upload = Parts::begin(&stage, "small.bin");
    upload.send(&stage, 1, &noise(32, 5 * MIB - 1));
    upload.send(&stage, 2, &noise(33, 10));
    let list = upload.list();
    let complete = upload.of("complete-multipart-upload");
    stage.refused("EntityTooSmall", &[&["s3api"], &complete[..], &["--multipart-upload", &list]].concat());
    assert_eq!(upload.numbers(&stage), [1, 2]);
    stage.check();
}

#[test]
fn an_upload_that_is_none_is_told_from_one_of_another_key() {
    let stage = Stage::new();
    let path = stage.write("in.bin", b"abc");
    let upload = Parts::begin(&stage, "mine.bin");
    let part = ["--part-number", "1", "--body", text(&path)];
    let other_key = upload.of("upload-part").map(|word| if word == "mine.bin" { "other.bin" } else { word });
    stage.refused("NoSuchUpload", &[&["s3api"], &other_key[..], &part].concat());
    let id = upload.id.as_str();
    for none in ["none", "01234567-89ab-4def-8123-456789abcdef"] {
        let command = upload.of("upload-part").map(|word| if word == id { none } else { word });
        stage.refused("NoSuchUpload", &[&["s3api"], &command[..], &part].concat());
    }
    assert!(upload.numbers(&stage).is_empty());
    stage.check();
}
