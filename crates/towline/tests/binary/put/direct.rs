//! A server that keeps files in S3 and hands out addresses of it: the bytes go past the server.

use super::stage::{HEADS, MIB, Person, count, done, refused, url_of};
use crate::s3_store::bucket::{Bucket, Front, Way};
use crate::support::noise;

#[test]
fn parts_go_past_a_server_that_has_signed_for_them() {
    for bucket in Bucket::both() {
        let (front, person) = (Front::start(&bucket, Way::Direct), Person::new());
        let file = noise(471, 21 * MIB + 5);
        person.write("video.mp4", &file);
        let url = url_of(front.server.address());
        let order = ["put", "--json", "--part-size=5MiB", "video.mp4", &url];
        refused(person.run(&[&order[..], &["--simulate-failure=0.6"]].concat()));
        let ended = done(&person.run(&order));
        assert_eq!((count(&ended, "kept_bytes"), count(&ended, "sent_bytes")), (15 * MIB, 6 * MIB + 5));
        bucket.assert_holds("video.mp4", &file);
        assert_eq!(bucket.uploads_under_way(), 0);
        let metrics = front.server.get("/metrics");
        let received =
            metrics.text().lines().find_map(|line| line.strip_prefix("towline_received_bytes_total "));
        let received: usize = received.unwrap().parse().unwrap();
        assert!(received < HEADS, "{received}");
    }
}
