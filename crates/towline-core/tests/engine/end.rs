//! Sealing and giving up.

use towline_core::digest::{Algorithm, Digest};
use towline_core::testing::House;
use towline_core::upload::{Ending, Phase, PhaseName, Progress};
use towline_core::{Error, Refusal};

use super::*;

#[tokio::test]
async fn parts_in_any_order_become_the_file() {
    let house = House::default();
    let upload = begin(&house.engine, order("a/b.txt", 10, 4)).await;
    send(&house.engine, upload.id, 3, "89").await.unwrap();
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    let progress = send(&house.engine, upload.id, 2, "4567").await.unwrap();
    let whole = Progress { prefix_count: 3, prefix_bytes: 10, landed_bytes: 10, landed_count: 3 };
    assert_eq!(progress, whole);
    let sealed = house.engine.finish(&me(), upload.id).await.unwrap();
    let Phase::Sealed(receipt) = sealed.phase else { panic!("{:?}", sealed.phase) };
    assert_eq!(house.store.object("a/b.txt").unwrap(), "0123456789");
    assert_eq!(Digest::of_crc64(receipt.crc64.unwrap()), digest(Algorithm::Crc64Nvme, b"0123456789"));
    assert_eq!(house.store.staged_count(), 0);
    let again = house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(again.phase, Phase::Sealed(receipt), "the same receipt again");
}

#[tokio::test]
async fn an_object_is_reported_sealed_only_once_the_fact_is_recorded_and_a_crash_between_heals() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let mut declared = order("k", 4, 4);
    declared.about.declared = Some(digest(Algorithm::Sha256, b"0123"));
    let upload = begin(&engine, declared).await;
    send(&engine, upload.id, 1, "0123").await.unwrap();
    let sealing = engine.finish(&me(), upload.id).await;
    assert!(sealing.is_ok());
    let upload = begin(&engine, order("l", 4, 4)).await;
    send(&engine, upload.id, 1, "0123").await.unwrap();
    fate.aim("sealing");
    assert!(matches!(engine.finish(&me(), upload.id).await, Err(Error::Failed(_))));
    assert_eq!(engine.status(&me(), upload.id).await.unwrap().phase, Phase::Sealing);
    assert!(matches!(engine.finish(&me(), upload.id).await.unwrap().phase, Phase::Sealed(_)));
}

#[tokio::test]
async fn missing_parts_are_named_in_a_bounded_list() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 1000, 1)).await;
    send(&house.engine, upload.id, 2, "x").await.unwrap();
    let Refusal::MissingParts { first, count } = refused(house.engine.finish(&me(), upload.id).await) else {
        panic!("another refusal")
    };
    assert_eq!((first.len(), count), (100, 999));
    assert_eq!(first[..3], [1, 3, 4]);
}

#[tokio::test]
async fn a_whole_that_is_not_what_was_declared_is_disputed_and_can_be_repaired() {
    let house = House::default();
    let mut declared = order("k", 8, 4);
    declared.about.declared = Some(digest(Algorithm::Sha256, b"01234567"));
    let upload = begin(&house.engine, declared).await;
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    send(&house.engine, upload.id, 2, "4x67").await.unwrap();
    let refusal = refused(house.engine.finish(&me(), upload.id).await);
    assert!(matches!(refusal, Refusal::WholeDigest { .. }));
    assert_eq!(house.engine.status(&me(), upload.id).await.unwrap().phase, Phase::Disputed);
    assert!(house.store.object("k").is_none());
    send(&house.engine, upload.id, 2, "4567").await.unwrap();
    house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "01234567");
}

#[tokio::test]
async fn an_abandoned_upload_is_gone_and_says_so_again() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 8, 4)).await;
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    for _ in 0..2 {
        let ended = house.engine.abandon(&me(), upload.id).await.unwrap();
        assert_eq!(ended.phase, Phase::Abandoned(Ending::Cancelled));
    }
    assert_eq!(house.store.staged_count(), 0);
    let late = refused(send(&house.engine, upload.id, 2, "4567").await);
    assert_eq!(late, Refusal::NotOpen(PhaseName::Cancelled));
    let finish = refused(house.engine.finish(&me(), upload.id).await);
    assert_eq!(finish, Refusal::NotOpen(PhaseName::Cancelled));
}

#[tokio::test]
async fn watchers_hear_of_parts_and_of_the_end() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 4, 4)).await;
    let mut watcher = house.engine.watch(upload.id);
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    watcher.changed().await;
    house.engine.finish(&me(), upload.id).await.unwrap();
    watcher.changed().await;
}

#[tokio::test]
async fn a_seal_that_broke_off_can_be_given_up_while_nothing_is_visible() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    send(&engine, upload.id, 1, "0123").await.unwrap();
    fate.aim("sealing");
    assert!(engine.finish(&me(), upload.id).await.is_err());
    let ended = engine.abandon(&me(), upload.id).await.unwrap();
    assert_eq!(ended.phase, Phase::Abandoned(Ending::Cancelled));
    assert_eq!(house.store.staged_count(), 0);
}
