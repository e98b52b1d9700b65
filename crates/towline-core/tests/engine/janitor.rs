//! What the janitor does, and what it leaves alone.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use towline_core::Refusal;
use towline_core::key::Key;
use towline_core::testing::{House, stalled_body};
use towline_core::upload::{Ending, Phase, UploadId};

use super::*;

#[tokio::test]
async fn the_janitor_finishes_a_seal_that_nobody_came_back_for() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    send(&engine, upload.id, 1, "0123").await.unwrap();
    fate.aim("sealing");
    assert!(engine.finish(&me(), upload.id).await.is_err());
    let grace = Duration::from_hours(1);
    assert_eq!(engine.sweep(grace).await.unwrap().healed, 0, "its owner may still be waiting for it");
    house.clock.advance(Duration::from_mins(2));
    assert_eq!(engine.sweep(grace).await.unwrap().healed, 1);
    assert_eq!(house.store.object("k").unwrap(), "0123");
}

#[tokio::test]
async fn the_janitor_gives_up_the_expired_forgets_them_later_and_removes_orphans() {
    let house = House::default();
    let keep = house.engine.policy().keep_unfinished;
    let old = begin(&house.engine, order("old", 8, 4)).await;
    house.clock.advance(keep / 2);
    let alive = begin(&house.engine, order("alive", 8, 4)).await;
    let orphan = UploadId::from_u128(99);
    house.store.open(orphan, &Key::parse("orphan").unwrap(), &About::default()).await.unwrap();
    house.clock.advance(keep / 2);
    let swept = house.engine.sweep(Duration::from_hours(1)).await.unwrap();
    assert_eq!((swept.expired, swept.orphans, swept.forgotten), (1, 1, 0));
    assert_eq!(house.store.staged_count(), 1, "the living one stays");
    let head = house.engine.status(&me(), old.id).await.unwrap();
    assert_eq!(head.phase, Phase::Abandoned(Ending::Expired));
    send(&house.engine, alive.id, 1, "0123").await.unwrap();
    house.clock.advance(keep.saturating_sub(Duration::from_secs(1)));
    let swept = house.engine.sweep(Duration::from_hours(1)).await.unwrap();
    assert_eq!((swept.expired, swept.forgotten), (0, 1), "every sign of life counts");
    assert!(matches!(refused(house.engine.status(&me(), old.id).await), Refusal::UploadNotFound(_)));
    assert_eq!(house.engine.sweep(Duration::ZERO).await.unwrap(), towline_core::engine::Swept::default());
}

#[tokio::test]
async fn a_place_that_cannot_be_cleared_does_not_stop_the_janitor() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    for key in ["a", "b"] {
        let upload = begin(&engine, order(key, 4, 4)).await;
        fate.aim("discarding");
        engine.abandon(&me(), upload.id).await.unwrap();
    }
    assert_eq!(house.store.staged_count(), 2);
    fate.aim("discarding");
    let swept = engine.sweep(Duration::ZERO).await.unwrap();
    assert_eq!(swept.cleared, 1);
    assert_eq!(engine.tally().take_ignored().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_body_under_way_is_a_sign_of_life() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 4, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let sending = TaskTracker::new().spawn(async move {
        let mut frames = stalled_body(["01"]);
        engine.put_part(&me(), put(id, 1), std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.clock.advance(house.engine.policy().keep_unfinished * 2);
    assert_eq!(house.engine.sweep(Duration::from_hours(1)).await.unwrap().expired, 0);
    sending.abort();
    while house.engine.sweep(Duration::from_hours(1)).await.unwrap().expired == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_seal_that_broke_off_is_not_healed_over_a_newer_file() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let older = begin(&engine, order("k", 3, 4)).await;
    send(&engine, older.id, 1, "old").await.unwrap();
    fate.aim("sealing");
    assert!(engine.finish(&me(), older.id).await.is_err());
    house.clock.advance(Duration::from_secs(1));
    let newer = begin(&engine, order("k", 3, 4)).await;
    send(&engine, newer.id, 1, "new").await.unwrap();
    engine.finish(&me(), newer.id).await.unwrap();
    house.clock.advance(Duration::from_mins(10));
    engine.sweep(Duration::ZERO).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "new");
    assert_eq!(engine.finish(&me(), older.id).await.unwrap().id, older.id);
    assert_eq!(house.store.object("k").unwrap(), "old", "its owner asked for it");
}
