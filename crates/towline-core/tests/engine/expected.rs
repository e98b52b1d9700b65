//! Finishing with a word on what the file has to be.

use towline_core::digest::Algorithm;
use towline_core::engine::Expected;
use towline_core::testing::House;
use towline_core::testing::faulty::Odds;
use towline_core::upload::{Phase, PhaseName};
use towline_core::{Error, Refusal};

use super::direct::Past;
use super::*;

fn expected(bytes: &[u8]) -> Expected {
    let mut digester = Digester::new([]);
    digester.update(bytes);
    Expected { size_bytes: Some(bytes.len() as u64), crc64: Some(digester.finish().crc64) }
}

fn told(wanted: &[u8], found: &[u8]) -> Refusal {
    let [declared, actual] = [wanted, found].map(|bytes| digest(Algorithm::Crc64Nvme, bytes));
    Refusal::WholeDigest { declared, actual }
}

#[tokio::test]
async fn a_file_that_is_not_the_expected_one_is_never_seen_and_takes_parts_still() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 8, 4)).await;
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    send(&house.engine, upload.id, 2, "4x67").await.unwrap();
    let wanted = expected(b"01234567");
    for _ in 0..2 {
        let refusal = refused(house.engine.finish_expecting(&me(), upload.id, wanted).await);
        assert_eq!(refusal, told(b"01234567", b"01234x67"));
        assert!(house.store.object("k").is_none());
        let phase = house.engine.status(&me(), upload.id).await.unwrap().phase;
        assert_eq!(phase.name(), PhaseName::Open);
    }
    send(&house.engine, upload.id, 2, "4567").await.unwrap();
    house.engine.finish_expecting(&me(), upload.id, wanted).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "01234567");
}

#[tokio::test]
async fn a_sealed_file_is_given_to_those_only_who_expect_it() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 4, 4)).await;
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    let sealed = house.engine.finish_expecting(&me(), upload.id, expected(b"0123")).await.unwrap();
    let again = house.engine.finish_expecting(&me(), upload.id, expected(b"0123")).await.unwrap();
    assert_eq!(again.phase, sealed.phase);
    let other = refused(house.engine.finish_expecting(&me(), upload.id, expected(b"abcd")).await);
    assert_eq!(other, told(b"abcd", b"0123"));
    let longer = Expected { size_bytes: Some(5), crc64: None };
    let longer = refused(house.engine.finish_expecting(&me(), upload.id, longer).await);
    assert_eq!(longer, Refusal::TotalConflict { declared_bytes: 4, got_bytes: 5 });
    assert_eq!(house.engine.finish(&me(), upload.id).await.unwrap().phase, sealed.phase);
}

#[tokio::test]
async fn a_tail_is_part_of_what_is_compared() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 6, 4)).await;
    append(&house.engine, upload.id, 0, &["012345"]).await.unwrap();
    let refusal = refused(house.engine.finish_expecting(&me(), upload.id, expected(b"0123x5")).await);
    assert_eq!(refusal, told(b"0123x5", b"012345"));
    assert!(house.store.object("k").is_none());
    house.engine.finish_expecting(&me(), upload.id, expected(b"012345")).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "012345");
}

#[tokio::test]
async fn a_seal_that_broke_off_is_not_taken_for_the_expected_file() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    send(&engine, upload.id, 1, "0123").await.unwrap();
    fate.aim("sealing");
    assert!(matches!(engine.finish(&me(), upload.id).await, Err(Error::Failed(_))));
    let refusal = refused(engine.finish_expecting(&me(), upload.id, expected(b"abcd")).await);
    assert_eq!(refusal, told(b"abcd", b"0123"));
    assert!(house.store.object("k").is_none());
    let sealed = engine.finish_expecting(&me(), upload.id, expected(b"0123")).await.unwrap();
    assert!(matches!(sealed.phase, Phase::Sealed(_)));
}

#[tokio::test]
async fn what_went_past_us_is_vouched_for_by_the_store() {
    let past = Past::new(Odds::default());
    let upload = begin(&past.engine, order("k", 4, 4)).await;
    past.store.arrive(&upload.place, 1, b"0123");
    let shorter = Expected { size_bytes: Some(3), crc64: Some(7) };
    let shorter = refused(past.engine.finish_expecting(&me(), upload.id, shorter).await);
    assert_eq!(shorter, Refusal::TotalConflict { declared_bytes: 4, got_bytes: 3 });
    assert!(past.house.store.object("k").is_none());
    let unknown = Expected { size_bytes: Some(4), crc64: Some(7) };
    past.engine.finish_expecting(&me(), upload.id, unknown).await.unwrap();
    assert_eq!(past.house.store.object("k").unwrap(), "0123");
}
