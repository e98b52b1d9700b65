//! Clients that take their time hold neither the store nor the memory.

use super::bucket::{Bucket, Front, MIB, Way};
use crate::support::{Upload, noise};

const CLIENTS: usize = 64;
const PART: usize = 5 * MIB;

/// One number of the metrics.
fn metric(front: &Front, name: &str) -> usize {
    let reply = front.server.get("/metrics");
    let line = reply.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    line.parse().unwrap()
}

#[test]
fn sixty_four_slow_clients_leave_the_store_to_a_quick_one_and_spill_into_a_file() {
    let bucket = Bucket::of_garage();
    let front =
        Front::start_with(&bucket, Way::Relayed, &["--s3-relay-slots", "2", "--spill-memory", "16MiB"]);
    let file = noise(121, CLIENTS * PART);
    let upload = Upload::begin(&front.server, "slow.bin", file.len(), PART);
    let mut slow: Vec<_> =
        (1..=CLIENTS).map(|number| upload.begin_put(&front.server, &file, number, PART - 1)).collect();
    // All that they have sent has been read: the server waits for the last byte of each.
    while metric(&front, "towline_received_bytes_total") < CLIENTS * (PART - 1) {}
    assert_eq!(metric(&front, "towline_parts_landed_total"), 0);
    let held_bytes = metric(&front, "towline_resident_bytes");
    assert!(held_bytes < 160 * MIB, "{held_bytes} bytes are resident, and {} wait", CLIENTS * PART);

    let small = noise(122, PART);
    let quick = Upload::begin(&front.server, "quick.bin", small.len(), PART);
    quick.put(&front.server, &small, 1).ok();
    quick.complete(&front.server).ok();
    bucket.assert_holds("quick.bin", &small);

    for (number, connection) in (1..).zip(&mut slow) {
        connection.write(&upload.part(&file, number)[PART - 1..]);
    }
    for connection in &mut slow {
        connection.reply().ok();
    }
    upload.complete(&front.server).ok();
    bucket.assert_holds("slow.bin", &file);
}
