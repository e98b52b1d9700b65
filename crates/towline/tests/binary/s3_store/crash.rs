//! A kill between the store's completion and the fact.

use serde_json::json;

use super::bucket::{Bucket, Front, MIB, Uppy, Way};
use super::gate::Gate;
use crate::support::{Upload, noise};

#[test]
fn a_completion_whose_answer_was_lost_with_the_server_is_answered_when_asked_again() {
    for bucket in Bucket::both() {
        let gate = Gate::before(bucket.address());
        let mut front = Front::start(&bucket.by_way_of(gate.address), Way::Direct);
        let file = noise(101, 11 * MIB);
        let mut upload = Uppy::begin(&front, "crash.bin");
        for (number, bytes) in (1..).zip(file.chunks(5 * MIB)) {
            upload.put(&front, number, bytes);
        }
        gate.shut();
        let body = json!({"parts": upload.parts}).to_string();
        let mut lost = front.server.connect();
        let json = [("Content-Type", "application/json")];
        lost.begin("POST", &upload.complete_path(), &json, body.len());
        lost.write(body.as_bytes());
        let answer = gate.wait_for_completion();
        assert!(answer.contains(" 200"), "{answer}");
        front.kill_and_start_again(&bucket);

        let done = upload.complete(&front).ok();
        assert_eq!(done["key"], upload.key);
        assert_eq!(upload.complete(&front).ok(), done);
        bucket.assert_holds(&upload.key, &file);
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[test]
fn a_relayed_completion_heals_alike_and_keeps_its_receipt() {
    for bucket in Bucket::both() {
        let gate = Gate::before(bucket.address());
        let mut front = Front::start(&bucket.by_way_of(gate.address), Way::Relayed);
        let file = noise(102, 11 * MIB);
        let upload = Upload::begin(&front.server, "crash.bin", file.len(), 5 * MIB);
        for number in 1..=3 {
            upload.put(&front.server, &file, number).ok();
        }
        gate.shut();
        let mut lost = front.server.connect();
        lost.begin("POST", &upload.path("complete"), &[], 2);
        lost.write(b"{}");
        let answer = gate.wait_for_completion();
        assert!(answer.contains(" 200"), "{answer}");
        front.kill_and_start_again(&bucket);

        assert_ne!(upload.status(&front.server)["status"], "completed");
        let done = upload.complete(&front.server).ok();
        assert_eq!(upload.complete(&front.server).ok(), done);
        assert_eq!(upload.status(&front.server)["status"], "completed");
        bucket.assert_holds("crash.bin", &file);
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}
