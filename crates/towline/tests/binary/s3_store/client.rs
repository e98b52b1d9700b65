//! The client's library where its server's files lie in S3: bytes go to the store by signed URLs, or through the server.

use towline_client::remote::{Proof, Remote, Shelf as _, State};
use towline_core::receipt::Voucher;

use super::bucket::{Bucket, Front, MIB, Way};
use crate::client_server::{assert_stored, client, order, send, send_all, whole};
use crate::support::noise;

#[tokio::test]
async fn parts_go_straight_to_the_store_and_are_found_again() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(341, 12 * MIB + 345);
        let key = "direct/ü a+b.bin";
        let order = order(key, Some(&file), 5 * MIB);
        let one = client(&front.server);
        let upload = one.begin(&order).await.unwrap();
        assert_eq!((upload.proof, upload.part_bytes), (Proof::Md5, 5 * MIB as u64));
        let mut sent = Vec::new();
        for number in [3, 1] {
            sent.push(send(&one, &upload, &file, number).await.unwrap());
        }

        let other = client(&front.server);
        let found = other.begin(&order).await.unwrap();
        assert_eq!((&found.ticket, found.is_resumed), (&upload.ticket, true));
        let known: Vec<_> =
            found.landed.iter().map(|part| (part.number, part.size_bytes, part.md5)).collect();
        sent.sort_by_key(|part| part.number);
        assert_eq!(
            known,
            sent.iter().map(|part| (part.number, part.size_bytes, part.md5)).collect::<Vec<_>>()
        );
        assert!(known.iter().all(|(_, _, md5)| md5.is_some()));

        sent.push(send(&other, &found, &file, 2).await.unwrap());
        let receipt = other.finish(&found, &sent, whole(&file)).await.unwrap();
        assert_eq!((receipt.size_bytes, receipt.part_count), (file.len() as u64, 3));
        assert_eq!(receipt.voucher, Voucher::Store);
        assert!(receipt.crc64.is_none_or(|crc64| crc64 == whole(&file).crc64), "{receipt:?}");
        assert_eq!(one.finish(&upload, &[], whole(&file)).await.unwrap(), receipt);
        let looked = one.look(&upload.ticket).await.unwrap();
        assert!(matches!(looked, State::Sealed(known) if known == receipt));
        bucket.assert_holds(key, &file);
        assert_stored(&one, key, &file).await;
        assert!(one.stored("direct/none").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn parts_that_went_through_the_server_all_the_same_are_compared_alike() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let file = noise(344, 5 * MIB);
        let order = order("round about", Some(&file), 5 * MIB);
        let client = client(&front.server);
        let upload = client.begin(&order).await.unwrap();
        let path = format!("/upload/{}/part/1", upload.ticket.id);
        front.server.connect().send("PUT", &path, &[], &file).ok();
        let round = client.begin(&order).await.unwrap().landed.remove(0);
        let straight = send(&client, &upload, &file, 1).await.unwrap();
        assert_eq!((round.md5, round.crc64), (straight.md5, straight.crc64));
        client.abort(&upload.ticket).await.unwrap();
    }
}

#[tokio::test]
async fn streams_and_files_without_bytes_go_straight_to_the_store() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Direct);
        let client = client(&front.server);
        for (key, bytes) in [("stream", 5 * MIB + 9), ("nothing", 0)] {
            let file = noise(342, bytes);
            let upload = client.begin(&order(key, None, 5 * MIB)).await.unwrap();
            if bytes > 0 {
                send(&client, &upload, &file, 1).await.unwrap();
            }
            client.declare(&upload, bytes as u64).await.unwrap();
            if bytes > 0 {
                send(&client, &upload, &file, 2).await.unwrap();
            }
            client.finish(&upload, &[], whole(&file)).await.unwrap();
            bucket.assert_holds(key, &file);
            assert_stored(&client, key, &file).await;
        }
        let given_up = client.begin(&order("given up", None, 5 * MIB)).await.unwrap();
        client.abort(&given_up.ticket).await.unwrap();
        assert_eq!(bucket.uploads_under_way(), 0);
    }
}

#[tokio::test]
async fn relayed_parts_are_vouched_for_by_the_server() {
    for bucket in Bucket::both() {
        let front = Front::start(&bucket, Way::Relayed);
        let client = client(&front.server);
        let file = noise(343, 6 * MIB);
        let upload = client.begin(&order("relayed", Some(&file), 5 * MIB)).await.unwrap();
        assert_eq!(upload.proof, Proof::Crc64);
        let receipt = send_all(&client, &upload, &file).await;
        assert_eq!((receipt.voucher, receipt.crc64), (Voucher::Towline, Some(whole(&file).crc64)));
        bucket.assert_holds("relayed", &file);
        assert_eq!(assert_stored(&client, "relayed", &file).await.crc64, receipt.crc64);
    }
}
