//! Appending, and going on where it broke off.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use towline_core::Refusal;
use towline_core::digest::Algorithm;
use towline_core::engine::{Append, Order};
use towline_core::testing::{House, body, cut_body, stalled_body};

use super::*;

#[tokio::test]
async fn an_append_parks_what_does_not_fill_a_part_and_goes_on_there() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    assert_eq!(append(&house.engine, upload.id, 0, &["0", "1234", ""]).await.unwrap(), 5);
    let head = house.engine.status(&me(), upload.id).await.unwrap();
    assert_eq!((head.progress.prefix_bytes, head.offset()), (4, 5));
    let wrong = refused(append(&house.engine, upload.id, 4, &["x"]).await);
    assert_eq!(wrong, Refusal::OffsetMismatch { expected: 5, got: 4 });
    let cut = Append { id: upload.id, offset: 5, size_bytes: None, declared: Vec::new() };
    let mut frames = cut_body(["56", "78"]);
    let refusal = refused(house.engine.append(&me(), cut, std::pin::pin!(&mut frames)).await);
    assert_eq!(refusal, Refusal::BodyCut { got_bytes: 4 });
    assert_eq!(house.engine.status(&me(), upload.id).await.unwrap().offset(), 9, "what arrived is kept");
    assert!(matches!(refused(append(&house.engine, upload.id, 9, &["9x"]).await), Refusal::TooLarge { .. }));
    house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "0123456789");
}

#[tokio::test]
async fn an_append_with_a_wrong_digest_keeps_nothing() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    append(&house.engine, upload.id, 0, &["01"]).await.unwrap();
    let declared = vec![digest(Algorithm::Sha1, b"234567")];
    let lying = Append { id: upload.id, offset: 2, size_bytes: Some(6), declared: declared.clone() };
    let mut frames = body(["23", "45", "6x"]);
    let refusal = refused(house.engine.append(&me(), lying.clone(), std::pin::pin!(&mut frames)).await);
    assert!(matches!(refusal, Refusal::PartDigest { .. }));
    assert_eq!(house.engine.status(&me(), upload.id).await.unwrap().offset(), 2);
    let mut frames = body(["23", "45", "67"]);
    let honest = house.engine.append(&me(), lying, std::pin::pin!(&mut frames)).await.unwrap();
    assert_eq!(honest.offset, 8);
}

#[tokio::test]
async fn a_total_can_be_declared_at_the_end() {
    let house = House::default();
    let upload = begin(&house.engine, Order { total_bytes: None, ..order("k", 0, 4) }).await;
    append(&house.engine, upload.id, 0, &["012345"]).await.unwrap();
    assert_eq!(refused(house.engine.finish(&me(), upload.id).await), Refusal::TotalUnknown);
    let short = refused(house.engine.declare_total(&me(), upload.id, 5).await);
    assert!(matches!(short, Refusal::TotalConflict { .. }));
    house.engine.declare_total(&me(), upload.id, 6).await.unwrap();
    house.engine.declare_total(&me(), upload.id, 6).await.unwrap();
    house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "012345");
}

#[tokio::test(start_paused = true)]
async fn a_stop_parks_what_is_being_appended() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let appender = TaskTracker::new().spawn(async move {
        let append = Append { id, offset: 0, size_bytes: None, declared: Vec::new() };
        let mut frames = stalled_body(["012345"]);
        engine.append(&me(), append, std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.engine.begin_stop();
    assert!(matches!(refused(appender.await.unwrap()), Refusal::BodyCut { got_bytes: 6 }));
    assert_eq!(house.engine.status(&me(), id).await.unwrap().offset(), 6);
}

#[tokio::test(start_paused = true)]
async fn joining_cuts_a_stalled_append_and_says_where_to_go_on() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let stalled = TaskTracker::new().spawn(async move {
        let append = Append { id, offset: 0, size_bytes: None, declared: Vec::new() };
        let mut frames = stalled_body(["01234"]);
        engine.append(&me(), append, std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(house.engine.join(&me(), id).await.unwrap().offset(), 5);
    assert_eq!(refused(stalled.await.unwrap()), Refusal::TakenOver);
    assert_eq!(append(&house.engine, id, 5, &["56789"]).await.unwrap(), 10);
}
