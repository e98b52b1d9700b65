//! Bytes that somebody took away from under the server are missed at the seal, not sealed as zeros.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use towline_backends::disk::{DiskSettings, DiskStore};
use towline_core::error::FaultKind;
use towline_core::key::Key;
use towline_core::lease::{Leases, Seat};
use towline_core::plan::{Room, Slot};
use towline_core::store::{Opened, PartPlace, Place, Seal, Spot, Store as _};
use towline_core::testing::store_contract::{content, part_of};
use towline_core::upload::{About, Part, UploadId};

fn key() -> Key {
    Key::parse("file").expect("a key")
}

async fn open(store: &DiskStore) -> (UploadId, Place) {
    let id = UploadId::from_u128(7);
    match store.open(id, &key(), &About::default()).await.expect("a disk that works") {
        Opened::At(place) => (id, place),
        Opened::Blocked(obstacle) => panic!("{obstacle:?}"),
    }
}

async fn land(store: &DiskStore, (id, place): &(UploadId, Place), number: u32, bytes: &Bytes) -> Part {
    let size_bytes = bytes.len() as u64;
    let offset_bytes = Some(u64::from(number - 1) * size_bytes);
    let slot = Slot { number, offset_bytes, room: Room::Exactly(size_bytes) };
    let lease = Leases::default().take(*id, Seat::Slot(number), Duration::from_secs(1)).await.expect("free");
    let at = PartPlace { place, slot, size_bytes: Some(size_bytes), is_begun: number > 1, lease };
    let mut writer = store.write_part(at, Spot::Own).await.expect("a disk that works");
    writer.write(bytes.clone()).await.expect("a disk that works");
    part_of(number, bytes, writer.land().await.expect("a disk that works"))
}

fn open_in(data: &Path) -> DiskStore {
    DiskStore::open(&DiskSettings { data: data.to_owned(), sync: true }).expect("a folder of our own")
}

#[tokio::test]
async fn a_file_that_was_taken_away_between_two_parts_is_not_sealed_with_a_hole() {
    for size in [4, 100, 8192, 1024 * 1024 + 1] {
        let data = tempfile::tempdir().unwrap();
        let store = open_in(data.path());
        let place = open(&store).await;
        let first = land(&store, &place, 1, &content(1, size)).await;
        std::fs::remove_file(data.path().join("staging").join(place.0.to_string()).join("object")).unwrap();
        let parts = [first, land(&store, &place, 2, &content(2, size)).await];
        let fault = store.seal(&place.1, &key(), &parts).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Corrupt, "parts of {size} bytes");
        assert!(store.read(&key()).await.unwrap().is_none());
        // What is sent again, aside, mends it.
        let again = land(&store, &place, 1, &content(1, size)).await;
        let sealed = store.seal(&place.1, &key(), &[again, parts[1].clone()]).await.unwrap();
        assert!(matches!(sealed, Seal::Sealed(_)));
    }
}

#[tokio::test]
async fn parts_of_zeros_are_no_holes() {
    let data = tempfile::tempdir().unwrap();
    let store = open_in(data.path());
    let place = open(&store).await;
    let zeros = Bytes::from(vec![0; 1024 * 1024]);
    let parts = [land(&store, &place, 1, &zeros).await, land(&store, &place, 2, &zeros).await];
    assert!(matches!(store.seal(&place.1, &key(), &parts).await.unwrap(), Seal::Sealed(_)));
}
