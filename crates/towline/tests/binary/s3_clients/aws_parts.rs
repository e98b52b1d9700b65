//! `aws s3api`: parts by hand, ranges, pages and checksums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use towline_core::digest::{Algorithm, Digester};

use super::stage::{MIB, Stage, assert_same, text};
use crate::support::noise;

/// An upload that the CLI has begun.
pub(super) struct Parts<'a> {
    pub(super) key: &'a str,
    pub(super) id: String,
    sent: Vec<Value>,
}

impl<'a> Parts<'a> {
    pub(super) fn begin(stage: &Stage, key: &'a str) -> Self {
        let begun = stage.s3api(&["create-multipart-upload", "--bucket", "towline", "--key", key]);
        assert_eq!((&begun["Bucket"], &begun["Key"]), (&json!("towline"), &json!(key)));
        Self { key, id: begun["UploadId"].as_str().unwrap().to_owned(), sent: Vec::new() }
    }

    /// What every later command says.
    pub(super) fn of<'b>(&'b self, command: &'b str) -> [&'b str; 7] {
        [command, "--bucket", "towline", "--key", self.key, "--upload-id", &self.id]
    }

    /// Sends a part and remembers its tag.
    pub(super) fn send(&mut self, stage: &Stage, number: usize, bytes: &[u8]) {
        let path = stage.write(&format!("part-{number}"), bytes);
        let number = number.to_string();
        let part = ["--part-number", &number, "--body", text(&path)];
        let reply = stage.s3api(&[&self.of("upload-part")[..], &part].concat());
        self.sent.push(json!({"PartNumber": number.parse::<u64>().unwrap(), "ETag": reply["ETag"]}));
    }

    /// What `complete-multipart-upload` takes, in the order of sending.
    pub(super) fn list(&self) -> String {
        json!({"Parts": self.sent}).to_string()
    }

    pub(super) fn numbers(&self, stage: &Stage) -> Vec<u64> {
        let listed = stage.s3api(&self.of("list-parts"));
        let parts = listed["Parts"].as_array().map_or(&[][..], Vec::as_slice);
        parts.iter().map(|part| part["PartNumber"].as_u64().unwrap()).collect()
    }

    pub(super) fn complete(&self, stage: &Stage) -> Value {
        let list = self.list();
        let command = self.of("complete-multipart-upload");
        stage.s3api(&[&command[..], &["--multipart-upload", &list]].concat())
    }
}

#[test]
fn parts_by_hand_are_listed_completed_and_read_in_ranges() {
    let stage = Stage::new();
    let file = noise(21, 12 * MIB + 345);
    let mut upload = Parts::begin(&stage, "by hand/film.bin");
    for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
        upload.send(&stage, number, bytes);
    }
    let listed = stage.s3api(&upload.of("list-parts"));
    let sizes: Vec<_> = listed["Parts"].as_array().unwrap().iter().map(|part| &part["Size"]).collect();
    assert_eq!(sizes, [&json!(5 * MIB), &json!(5 * MIB), &json!(2 * MIB + 345)]);
    let under_way = stage.s3api(&["list-multipart-uploads", "--bucket", "towline"]);
    assert_eq!(under_way["Uploads"][0]["UploadId"], upload.id);
    assert_eq!(under_way["Uploads"][0]["Key"], upload.key);
    assert!(!stage.has(upload.key));

    let done = upload.complete(&stage);
    assert_eq!((&done["Bucket"], &done["Key"]), (&json!("towline"), &json!(upload.key)));
    assert!(done["ETag"].as_str().unwrap().ends_with("-3\""), "{done}");
    stage.assert_arrived(upload.key, &file);
    // A client that lost the answer asks again.
    assert_eq!(upload.complete(&stage)["ETag"], done["ETag"]);
    assert_eq!(stage.s3api(&["list-multipart-uploads", "--bucket", "towline"])["Uploads"], Value::Null);

    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=5242879-5242881", 5 * MIB - 1, 5 * MIB + 2),
        ("bytes=-10", file.len() - 10, file.len()),
    ] {
        let get = ["get-object", "--bucket", "towline", "--key", upload.key, "--range", range, "range.bin"];
        let got = stage.s3api(&get);
        assert_eq!(got["ContentRange"], format!("bytes {from}-{}/{}", to - 1, file.len()));
        assert_same(&stage.read("range.bin"), &file[from..to]);
    }
    stage.check();
}

#[test]
fn an_aborted_upload_is_gone_and_its_parts_with_it() {
    let stage = Stage::new();
    let mut upload = Parts::begin(&stage, "given-up.bin");
    upload.send(&stage, 1, &noise(22, 5 * MIB));
    stage.s3api(&upload.of("abort-multipart-upload"));
    stage.refused("NoSuchUpload", &[&["s3api"], &upload.of("list-parts")[..]].concat());
    assert_eq!(stage.s3api(&["list-multipart-uploads", "--bucket", "towline"])["Uploads"], Value::Null);
    assert!(!stage.has("given-up.bin"));
    stage.check();
}

#[test]
fn a_part_that_is_sent_again_replaces_the_first() {
    let stage = Stage::new();
    let (wrong, right) = (noise(23, 5 * MIB), noise(24, 6 * MIB));
    let mut upload = Parts::begin(&stage, "again.bin");
    upload.send(&stage, 1, &wrong);
    upload.sent.clear();
    upload.send(&stage, 1, &right);
    upload.complete(&stage);
    stage.assert_arrived("again.bin", &right);
    stage.check();
}

#[test]
fn parts_that_are_not_listed_are_left_out() {
    let stage = Stage::new();
    let parts = [noise(25, 5 * MIB), noise(26, 5 * MIB), noise(27, 1000)];
    let mut upload = Parts::begin(&stage, "gaps.bin");
    for (number, bytes) in [10, 200, 9999].into_iter().zip(&parts) {
        upload.send(&stage, number, bytes);
    }
    upload.sent.remove(1);
    upload.complete(&stage);
    stage.assert_arrived("gaps.bin", &[&parts[0][..], &parts[2]].concat());
    stage.check();
}

#[test]
fn long_lists_come_in_pages() {
    let stage = Stage::new();
    for name in ["a", "b/1", "b/2", "c", "d"] {
        let path = stage.write("in", name.as_bytes());
        let key = format!("paged/{name}");
        stage.s3api(&["put-object", "--bucket", "towline", "--key", &key, "--body", text(&path)]);
    }
    let page = |more: &[&str]| {
        let list = ["list-objects-v2", "--bucket", "towline", "--prefix", "paged/", "--delimiter", "/"];
        stage.s3api(&[&list[..], &["--no-paginate", "--max-keys", "2"], more].concat())
    };
    let first = page(&[]);
    assert_eq!((&first["IsTruncated"], &first["KeyCount"]), (&json!(true), &json!(2)));
    assert_eq!(first["Contents"][0]["Key"], "paged/a");
    assert_eq!(first["CommonPrefixes"], json!([{"Prefix": "paged/b/"}]));
    let second = page(&["--continuation-token", first["NextContinuationToken"].as_str().unwrap()]);
    assert_eq!(
        (&second["Contents"][0]["Key"], &second["Contents"][1]["Key"]),
        (&json!("paged/c"), &json!("paged/d"))
    );
    assert_eq!(second["IsTruncated"], false);
    let after = page(&["--start-after", "paged/c"]);
    assert_eq!((&after["KeyCount"], &after["Contents"][0]["Key"]), (&json!(1), &json!("paged/d")));

    let mut upload = Parts::begin(&stage, "paged/parts");
    for number in 1..=3 {
        upload.send(&stage, number, &noise(28, 100));
    }
    let page = ["--no-paginate", "--max-parts", "2"];
    let first = stage.s3api(&[&upload.of("list-parts")[..], &page].concat());
    assert_eq!((&first["IsTruncated"], &first["NextPartNumberMarker"]), (&json!(true), &json!(2)));
    assert_eq!(upload.numbers(&stage), [1, 2, 3]);
    stage.check();
}

#[test]
fn declared_checksums_are_compared_and_told() {
    let stage = Stage::new();
    let file = noise(29, 100_000);
    let path = stage.write("in.bin", &file);
    let put = ["put-object", "--bucket", "towline", "--key", "checked.bin", "--body", text(&path)];
    let algorithms = [
        Algorithm::Md5,
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Crc64Nvme,
    ];
    let mut digester = Digester::new(algorithms);
    digester.update(&file);
    let digests = digester.finish();
    for (algorithm, flag, field) in [
        (Algorithm::Md5, "--content-md5", None),
        (Algorithm::Crc32, "--checksum-crc32", Some("ChecksumCRC32")),
        (Algorithm::Crc32c, "--checksum-crc32-c", Some("ChecksumCRC32C")),
        (Algorithm::Sha1, "--checksum-sha1", Some("ChecksumSHA1")),
        (Algorithm::Sha256, "--checksum-sha256", Some("ChecksumSHA256")),
        (Algorithm::Crc64Nvme, "--checksum-crc64-nvme", Some("ChecksumCRC64NVME")),
    ] {
        let right = STANDARD.encode(digests.get(algorithm).unwrap().bytes());
        let told = stage.s3api(&[&put[..], &[flag, &right]].concat());
        if let Some(field) = field {
            assert_eq!(told[field], right, "{told}");
        }
        let mut wrong = digests.get(algorithm).unwrap().bytes().to_vec();
        wrong[0] ^= 1;
        let wrong = STANDARD.encode(wrong);
        let put = put.map(|word| if word == "checked.bin" { "refused.bin" } else { word });
        stage.refused("BadDigest", &[&["s3api"], &put[..], &[flag, &wrong]].concat());
    }
    // Those that the CLI computes itself without a library of AWS's.
    for (algorithm, field) in
        [("CRC32", "ChecksumCRC32"), ("SHA1", "ChecksumSHA1"), ("SHA256", "ChecksumSHA256")]
    {
        let told = stage.s3api(&[&put[..], &["--checksum-algorithm", algorithm]].concat());
        assert!(told[field].is_string(), "{told}");
    }
    stage.assert_arrived("checked.bin", &file);
    assert!(!stage.has("refused.bin"));
    stage.check();
}
