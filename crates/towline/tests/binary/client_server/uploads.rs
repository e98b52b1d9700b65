//! The life of an upload, as a client leads it.

use towline_client::remote::{Proof, Remote as _, Shelf as _, State, Ticket};
use towline_client::trouble::Trouble;
use towline_core::receipt::Voucher;

use super::{MIB, assert_stored, client, computed, order, send, send_all, whole};
use crate::support::{Server, noise};

#[tokio::test]
async fn parts_go_up_in_any_order_and_are_found_again_from_anywhere() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let file = noise(301, 5 * MIB / 2);
    let order = order("a/video.bin", Some(&file), MIB);
    let one = client(&server);
    let upload = one.begin(&order).await.unwrap();
    assert_eq!((upload.part_bytes, upload.proof), (MIB as u64, Proof::Crc64));
    assert!(!upload.is_resumed && upload.landed.is_empty());
    for number in [3, 1] {
        send(&one, &upload, &file, number).await.unwrap();
    }
    let early = one.finish(&upload, &[], whole(&file)).await;
    assert!(matches!(&early, Err(Trouble::Gone { what }) if what.contains("[2]")), "{early:?}");

    let other = client(&server);
    let found = other.begin(&order).await.unwrap();
    assert!(found.is_resumed);
    assert_eq!(found.ticket, upload.ticket);
    let landed: Vec<_> = found.landed.iter().map(|part| (part.number, part.crc64, part.md5)).collect();
    let crc64 = |range: std::ops::Range<usize>| Some(computed(&file[range]).crc64);
    assert_eq!(landed, [(1, crc64(0..MIB), None), (3, crc64(2 * MIB..file.len()), None)]);
    let State::Open(open) = other.look(&upload.ticket).await.unwrap() else { panic!("it is open") };
    assert_eq!(open.landed, found.landed);

    send(&other, &found, &file, 2).await.unwrap();
    let receipt = other.finish(&found, &[], whole(&file)).await.unwrap();
    assert_eq!(
        (receipt.key.as_str(), receipt.size_bytes, receipt.part_count),
        ("a/video.bin", file.len() as u64, 3)
    );
    assert_eq!((receipt.crc64, receipt.voucher), (Some(whole(&file).crc64), Voucher::Towline));
    assert_eq!(one.finish(&upload, &[], whole(&file)).await.unwrap(), receipt);
    let State::Sealed(known) = one.look(&upload.ticket).await.unwrap() else { panic!("it is sealed") };
    assert_eq!(known, receipt);
    let late = send(&one, &upload, &file, 1).await;
    assert!(matches!(late, Err(Trouble::Gone { .. })), "{late:?}");
    let given_up = one.abort(&upload.ticket).await;
    assert!(
        matches!(&given_up, Err(Trouble::Refused { what, .. }) if what.contains("completed")),
        "{given_up:?}"
    );
    let stored = assert_stored(&one, "a/video.bin", &file).await;
    assert_eq!(stored.crc64, receipt.crc64);
}

#[tokio::test]
async fn files_of_every_size_and_name_go_up() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    for (key, bytes) in [
        ("empty", 0),
        ("one", 1),
        ("full", 2 * MIB),
        ("ü 🎬/a b+c%25#?&=.bin", MIB + 1),
        ("more", 2 * MIB + 1),
    ] {
        let file = noise(302, bytes);
        let mut order = order(key, Some(&file), MIB);
        order.content_type = Some("video/mp4".to_owned());
        order.metadata.insert("camera".to_owned(), "left ü".to_owned());
        let upload = client.begin(&order).await.unwrap();
        let receipt = send_all(&client, &upload, &file).await;
        assert_eq!((receipt.key.as_str(), receipt.size_bytes), (key, bytes as u64));
        assert_eq!(receipt.crc64, Some(whole(&file).crc64));
        let stored = assert_stored(&client, key, &file).await;
        assert_eq!(stored.content_type.as_deref(), Some("video/mp4"));
        assert!(stored.tag.is_some());
    }
    assert!(client.stored("none").await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_declares_its_size_at_its_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    for (key, bytes) in [("nothing", 0), ("short", 9), ("full", 2 * MIB), ("long", 2 * MIB + 9)] {
        let file = noise(303, bytes);
        let order = order(key, None, MIB);
        let upload = client.begin(&order).await.unwrap();
        assert_eq!((upload.total_bytes, upload.part_bytes), (None, MIB as u64));
        let full = u32::try_from(bytes / MIB).unwrap();
        for number in 1..=full {
            send(&client, &upload, &file, number).await.unwrap();
        }
        let again = client.begin(&order).await.unwrap();
        assert_eq!((again.ticket, again.landed.len()), (upload.ticket.clone(), full as usize));
        client.declare(&upload, bytes as u64).await.unwrap();
        client.declare(&upload, bytes as u64).await.unwrap();
        let other = client.declare(&upload, bytes as u64 + 1).await;
        assert!(matches!(other, Err(Trouble::Refused { .. })), "{other:?}");
        let again = client.begin(&order).await.unwrap();
        assert_eq!((&again.ticket, again.total_bytes), (&upload.ticket, Some(bytes as u64)));
        if bytes % MIB > 0 {
            send(&client, &upload, &file, full + 1).await.unwrap();
        }
        let receipt = client.finish(&upload, &[], whole(&file)).await.unwrap();
        assert_eq!(receipt.crc64, Some(whole(&file).crc64));
        assert_stored(&client, key, &file).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_gone() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    let file = noise(304, MIB);
    let upload = client.begin(&order("a", Some(&file), MIB)).await.unwrap();
    client.abort(&upload.ticket).await.unwrap();
    client.abort(&upload.ticket).await.unwrap();
    assert!(matches!(client.look(&upload.ticket).await.unwrap(), State::Gone));
    assert!(matches!(send(&client, &upload, &file, 1).await, Err(Trouble::Gone { .. })));
    assert!(matches!(client.finish(&upload, &[], whole(&file)).await, Err(Trouble::Gone { .. })));
    for id in ["00000000-0000-4000-8000-000000000001", "nonsense", "../../health", "ü ?#"] {
        let ticket = Ticket::new(id, "a");
        assert!(matches!(client.look(&ticket).await.unwrap(), State::Gone), "{id}");
        client.abort(&ticket).await.unwrap();
    }
}

#[tokio::test]
async fn unfinished_uploads_are_listed_newest_first() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    let file = noise(305, 3 * MIB);
    for key in ["b/1", "a/1", "a/2", "a/3", "a/done"] {
        let upload = client.begin(&order(key, Some(&file), MIB)).await.unwrap();
        if key == "a/done" {
            send_all(&client, &upload, &file).await;
        } else {
            send(&client, &upload, &file, 2).await.unwrap();
        }
    }
    client.begin(&order("c/stream", None, MIB)).await.unwrap();
    let keys = async |prefix: &str, limit: usize| {
        let lines = client.unfinished(prefix, limit).await.unwrap();
        lines.into_iter().map(|line| line.ticket.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("a/", 10).await, ["a/3", "a/2", "a/1"]);
    assert_eq!(keys("a/", 2).await, ["a/3", "a/2"]);
    assert_eq!(keys("", 10).await.len(), 5);
    assert!(keys("none", 10).await.is_empty() && keys("", 0).await.is_empty());
    let line = client.unfinished("b/", 1).await.unwrap().remove(0);
    assert_eq!(
        (line.total_bytes, line.landed_parts, line.total_parts),
        (Some(file.len() as u64), Some(1), Some(3))
    );
    assert_eq!(line.status, "in_progress");
    let line = client.unfinished("c/", 1).await.unwrap().remove(0);
    assert_eq!((line.total_bytes, line.landed_parts, line.total_parts), (None, Some(0), None));
}

#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_told() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let client = client(&server);
    let (old, new) = (noise(306, MIB), noise(307, MIB));
    let upload = client.begin(&order("a", Some(&old), MIB)).await.unwrap();
    send_all(&client, &upload, &old).await;
    let stored = assert_stored(&client, "a", &old).await;
    let upload = client.begin(&order("a", Some(&new), MIB)).await.unwrap();
    send_all(&client, &upload, &new).await;
    let read = client.read(&stored, 0..10).await.map(|_| ());
    assert!(matches!(read, Err(Trouble::Gone { .. })), "{read:?}");
    assert_stored(&client, "a", &new).await;
}
