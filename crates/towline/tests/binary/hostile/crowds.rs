//! Many at once, and the same thing at once: every answer fits the others.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::{House, Reply, Upload, noise};

const PART: usize = 256 * 1024;
const CROWD: usize = 8;

/// The replies of so many threads that begin together.
fn together(count: usize, act: impl Fn(usize) -> Reply + Sync) -> Vec<Reply> {
    let barrier = Barrier::new(count);
    thread::scope(|scope| {
        let (act, barrier) = (&act, &barrier);
        let threads: Vec<_> = (0..count)
            .map(|at| {
                scope.spawn(move || {
                    barrier.wait();
                    act(at)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn two_hundred_connections_send_two_hundred_parts() {
    let house = House::start(&[]);
    let file = noise(1, 200 * 10_000);
    let upload = Upload::begin(&house.server, "crowd.bin", file.len(), 10_000);
    let replies = together(200, |at| upload.put(&house.server, &file, at + 1));
    for reply in replies {
        reply.ok();
    }
    upload.complete(&house.server).ok();
    assert!(house.server.get("/download/crowd.bin").body == file);
    house.check();
}

#[test]
fn the_same_part_from_all_sides_lands_once_and_whole() {
    let house = House::start(&[]);
    let file = noise(2, PART);
    let upload = Upload::begin(&house.server, "same.bin", file.len(), PART);
    let replies = together(CROWD, |_| upload.put(&house.server, &file, 1));
    let landed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(landed > 0);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!((reply.status, &reply.json()["type"]), (409, &json!("/api/errors#taken-over")));
    }
    assert_eq!(upload.status(&house.server)["completed_parts"], json!([1]));
    upload.complete(&house.server).ok();
    assert!(house.server.get("/download/same.bin").body == file);
    house.check();
}

#[test]
fn different_bytes_for_one_part_end_as_one_of_them() {
    let house = House::start(&[]);
    let files: Vec<Vec<u8>> = (0..CROWD).map(|seed| noise(seed as u64, PART)).collect();
    let upload = Upload::begin(&house.server, "torn.bin", PART, PART);
    together(CROWD, |at| upload.put(&house.server, &files[at], 1));
    upload.complete(&house.server).ok();
    let arrived = house.server.get("/download/torn.bin").body;
    assert!(files.contains(&arrived), "a mixture");
    house.check();
}

#[test]
fn all_who_complete_at_once_get_one_answer() {
    let house = House::start(&[]);
    let file = noise(3, 3 * PART);
    let upload = Upload::begin(&house.server, "end.bin", file.len(), PART);
    for number in 1..=3 {
        upload.put(&house.server, &file, number).ok();
    }
    let replies = together(CROWD, |_| upload.complete(&house.server));
    let answers: Vec<Value> = replies.iter().map(Reply::ok).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(house.server.get("/download/end.bin").body == file);
    house.check();
}

#[test]
fn all_who_begin_at_once_with_one_key_get_one_upload() {
    let house = House::start(&[]);
    let order = json!({"filename": "once.bin", "file_size": 10, "idempotency_key": "k"});
    let replies = together(CROWD, |_| house.server.send("POST", "/upload/init", &order));
    let ids: Vec<Value> = replies.iter().map(|reply| reply.ok()["session_id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(house.server.get("/sessions").ok()["total"], 1);
    house.check();
}

#[test]
fn an_upload_that_is_cancelled_under_a_part_is_gone() {
    let house = House::start(&[]);
    let file = noise(4, 2 * PART);
    let upload = Upload::begin(&house.server, "gone.bin", file.len(), PART);
    upload.put(&house.server, &file, 2).ok();
    let mut half = upload.begin_put(&house.server, &file, 1, PART / 2);
    let path = format!("/upload/{}", upload.id);
    let replies = together(CROWD, |_| house.server.send("DELETE", &path, &json!({})));
    for reply in replies {
        assert_eq!(reply.ok()["status"], "cancelled");
    }
    half.offer(&upload.part(&file, 1)[PART / 2..]);
    let late = half.reply();
    assert!((400..500).contains(&late.status), "{} {}", late.status, late.text());
    assert_eq!(upload.complete(&house.server).status, 400);
    assert_eq!(house.server.get("/download/gone.bin").status, 404);
    house.check();
}

#[test]
fn completing_and_cancelling_at_once_has_one_outcome() {
    let house = House::start(&[]);
    for round in 0..10 {
        let file = noise(round, 1000);
        let name = format!("race-{round}.bin");
        let upload = Upload::begin(&house.server, &name, file.len(), 1000);
        upload.put(&house.server, &file, 1).ok();
        let path = format!("/upload/{}", upload.id);
        let replies = together(2, |at| match at {
            0 => upload.complete(&house.server),
            _ => house.server.send("DELETE", &path, &json!({})),
        });
        let status = upload.status(&house.server)["status"].clone();
        let is_completed = status == "completed";
        assert!(is_completed || status == "cancelled", "{status}");
        assert_eq!(replies[0].status == 200, is_completed, "{}", replies[0].text());
        assert_eq!(replies[1].status == 200, !is_completed, "{}", replies[1].text());
        let download = house.server.get(&format!("/download/{name}"));
        assert_eq!(download.status, if is_completed { 200 } else { 404 });
    }
    house.check();
}
