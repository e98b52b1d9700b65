//! Whatever is sent arrives: each of its bytes, and what was said of it.

use serde_json::Value;

use super::stage::{MIB, Person, Stage, count, done, refused, text};
use crate::s3_store::bucket::Bucket;
use crate::support::noise;

#[test]
fn a_file_arrives_in_parts() {
    let (stage, person) = (Stage::new(), Person::new());
    let file = noise(401, 9 * MIB + 12_345);
    person.write("video.mp4", &file);
    let ended = done(&person.run(&["put", "--json", "--part-size", "1MiB", "video.mp4", &stage.url()]));
    stage.assert_arrived("video.mp4", &file);
    assert_eq!((count(&ended, "size_bytes"), count(&ended, "part_count")), (file.len(), 10));
    assert_eq!((count(&ended, "sent_bytes"), count(&ended, "kept_bytes")), (file.len(), 0));
    assert_eq!(ended["crc64nvme"], crc64(&file));
    assert_eq!(stage.unfinished(), 0);
    let reply = stage.server.get("/download/video.mp4");
    assert_eq!(reply.header("content-type"), Some("video/mp4"));
}

#[test]
fn what_has_no_bytes_or_a_strange_name_arrives_like_everything_else() {
    let (stage, person) = (Stage::new(), Person::new());
    for (name, size) in [("empty", 0), ("one byte", 1), ("ünï 🎬 & 50% +#?.bin", 3 * MIB + 1)] {
        let file = noise(402, size);
        person.write(name, &file);
        person.put(&[name, &stage.url()]);
        stage.assert_arrived(name, &file);
    }
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_folder_arrives_with_all_that_is_below_it() {
    let (stage, person) = (Stage::new(), Person::new());
    let names = ["a.jpg", "2026/b.jpg", "2026/05/ü c.jpg", "empty", "large.bin"];
    for ((seed, name), size) in (403..).zip(names).zip([1000, 70_000, 1, 0, 6 * MIB]) {
        person.write(&format!("photos/{name}"), &noise(seed, size));
    }
    let ended = person.run(&["put", "-r", "--part-size", "1MiB", "photos", &stage.url()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for name in names {
        stage.assert_arrived(&format!("photos/{name}"), &person.read(&format!("photos/{name}")));
    }
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn many_small_files_arrive_each_under_its_name() {
    let (stage, person) = (Stage::new(), Person::new());
    for number in 0..200 {
        person.write(&format!("small/{number}"), &noise(number, 100 + usize::try_from(number).unwrap()));
    }
    let ended = person.run(&["put", "-r", "--key", "there/", "small/", &stage.url()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for number in 0..200 {
        stage.assert_arrived(&format!("there/{number}"), &person.read(&format!("small/{number}")));
    }
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn a_stream_arrives_whose_size_nobody_knew() {
    let (stage, person) = (Stage::new(), Person::new());
    for (key, size) in
        [("stream", 5 * MIB + 77), ("short stream", 10), ("parts only", 4 * MIB), ("no stream", 0)]
    {
        let bytes = noise(404, size);
        let arguments = ["put", "--json", "--part-size", "1MiB", "-", "--key", key, &stage.url()];
        let ended = done(&person.run_with_input(&arguments, &bytes));
        assert_eq!(ended["crc64nvme"], crc64(&bytes));
        stage.assert_arrived(key, &bytes);
    }
    assert_eq!(stage.unfinished(), 0);
}

#[test]
fn one_bad_file_does_not_keep_the_others_from_arriving() {
    let (stage, person) = (Stage::new(), Person::new());
    person.write("a", b"a");
    let large = person.write("large", &noise(405, 2 * MIB));
    // A key that is a folder already cannot be a file.
    person.write("taken/b", b"b");
    person.put(&["taken/b", "--key", "c/d", &stage.url()]);
    person.write("c", b"c");
    let said = refused(person.run(&["put", "a", "c", text(&large), &stage.url()]));
    assert!(said.contains("error: c: "), "{said}");
    stage.assert_arrived("a", b"a");
    stage.assert_arrived("large", &noise(405, 2 * MIB));
    stage.assert_arrived("c/d", b"b");
}

#[test]
fn type_and_metadata_arrive_at_an_s3() {
    for bucket in Bucket::both() {
        let person = Person::with(bucket.environment());
        for (name, size) in [("small", 1000), ("large", 11 * MIB)] {
            person.write(name, &noise(406, size));
            let said = ["--content-type", "text/x-log; charset=utf-8", "--meta", "Camera=a=b"];
            person.put(&[&[name, &bucket.url(name), "--part-size", "5MiB"], &said[..]].concat());
            let object = bucket.named_object(name);
            let asked = [&["s3api", "head-object"], &object.each_ref().map(String::as_str)[..]].concat();
            let head: Value = serde_json::from_str(&bucket.aws(&asked).out).unwrap();
            assert_eq!(head["ContentType"], "text/x-log; charset=utf-8");
            assert_eq!(head["Metadata"]["camera"], "a=b", "{head}");
        }
    }
}

fn crc64(bytes: &[u8]) -> String {
    let mut digester = towline_core::digest::Digester::new([]);
    digester.update(bytes);
    format!("{:016x}", digester.finish().crc64)
}
