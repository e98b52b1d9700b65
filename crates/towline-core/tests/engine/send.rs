//! Sending parts: checked, durable, recorded, acknowledged, in this order.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_util::task::TaskTracker;
use towline_core::digest::{Algorithm, Digest};
use towline_core::engine::PutPart;
use towline_core::policy::Policy;
use towline_core::testing::faulty::Odds;
use towline_core::testing::{House, body, cut_body, stalled_body};
use towline_core::upload::Progress;
use towline_core::{Error, Refusal};

use super::*;

#[tokio::test]
async fn a_part_is_acknowledged_only_after_its_fact_is_recorded() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    fate.aim("recording");
    assert!(matches!(send(&engine, upload.id, 1, "0123").await, Err(Error::Failed(_))));
    assert_eq!(engine.status(&me(), upload.id).await.unwrap().progress, Progress::default());
}

#[tokio::test]
async fn a_fact_is_recorded_only_once_its_bytes_are_durable() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    fate.aim("landing");
    assert!(matches!(send(&engine, upload.id, 1, "0123").await, Err(Error::Failed(_))));
    assert_eq!(engine.parts(&me(), upload.id, (0, 9)).await.unwrap(), []);
    fate.aim("parking");
    assert!(matches!(append(&engine, upload.id, 0, &["01"]).await, Err(Error::Failed(_))));
    assert_eq!(engine.status(&me(), upload.id).await.unwrap().offset(), 0);
}

#[tokio::test]
async fn an_old_part_is_dropped_only_after_the_new_one_is_recorded() {
    let house = House::default();
    let (engine, fate) = fated(&house);
    let upload = begin(&engine, order("k", 4, 4)).await;
    // The second landing is aside; the third would supersede it.
    send(&engine, upload.id, 1, "old!").await.unwrap();
    send(&engine, upload.id, 1, "new!").await.unwrap();
    fate.aim("recording");
    assert!(matches!(send(&engine, upload.id, 1, "last").await, Err(Error::Failed(_))));
    engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "new!");
}

#[tokio::test]
async fn a_wrong_part_is_refused_and_leaves_no_trace() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    let id = upload.id;
    let expected = Refusal::PartSize { number: 1, got_bytes: 3, expected_bytes: 4 };
    assert_eq!(refused(send(&house.engine, id, 1, "012").await), expected);
    assert!(matches!(refused(send(&house.engine, id, 1, "01234").await), Refusal::PartSize { .. }));
    assert!(matches!(refused(send(&house.engine, id, 3, "0123").await), Refusal::PartSize { .. }));
    let out = Refusal::PartOutOfRange { number: 4, last: 3 };
    assert_eq!(refused(send(&house.engine, id, 4, "0123").await), out);
    let wrong = PutPart { declared: vec![digest(Algorithm::Md5, b"3210")], ..put(id, 1) };
    let mut frames = body(["01", "23"]);
    let refusal = refused(house.engine.put_part(&me(), wrong, std::pin::pin!(&mut frames)).await);
    assert_eq!(
        refusal,
        Refusal::PartDigest {
            number: 1,
            declared: digest(Algorithm::Md5, b"3210"),
            actual: digest(Algorithm::Md5, b"0123"),
        }
    );
    let mut frames = cut_body(["01"]);
    let refusal = refused(house.engine.put_part(&me(), put(id, 1), std::pin::pin!(&mut frames)).await);
    assert_eq!(refusal, Refusal::BodyCut { got_bytes: 2 });
    assert_eq!(house.engine.status(&me(), id).await.unwrap(), upload);
}

#[tokio::test]
async fn a_declared_wrong_length_is_refused_before_the_body_is_read() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    let early = PutPart { size_bytes: Some(5), ..put(upload.id, 1) };
    let mut never = stalled_body::<Bytes>([]);
    let refusal = refused(house.engine.put_part(&me(), early, std::pin::pin!(&mut never)).await);
    assert_eq!(refusal, Refusal::PartSize { number: 1, got_bytes: 5, expected_bytes: 4 });
}

#[tokio::test]
async fn the_same_part_twice_is_answered_twice_alike() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 10, 4)).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut frames = body(["0123"]);
        let landed = house.engine.put_part(&me(), put(upload.id, 1), std::pin::pin!(&mut frames)).await;
        answers.push(landed.unwrap());
    }
    assert_eq!((answers[0].is_repeat, answers[1].is_repeat), (false, true));
    assert_eq!(answers[0].progress, answers[1].progress);
    assert_eq!(answers[0].part.crc64, answers[1].part.crc64);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_takes_over_from_a_stalled_body_at_once() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 4, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let stalled = TaskTracker::new().spawn(async move {
        let mut frames = stalled_body(["01"]);
        engine.put_part(&me(), put(id, 1), std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let began = tokio::time::Instant::now();
    send(&house.engine, id, 1, "0123").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "virtual time: nobody waited for a deadline");
    assert_eq!(refused(stalled.await.unwrap()), Refusal::TakenOver);
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_dripping_body_is_cut_by_a_deadline() {
    let policy = Policy { frame_wait: Duration::from_secs(5), body_bytes_per_s_min: 10, ..Policy::default() };
    let house = House::new(policy);
    let upload = begin(&house.engine, order("k", 1000, 1000)).await;
    let mut silent = stalled_body(["01"]);
    let refusal = refused(house.engine.put_part(&me(), put(upload.id, 1), std::pin::pin!(&mut silent)).await);
    assert_eq!(refusal, Refusal::BodyTooSlow { got_bytes: 2 });
    let drips = futures_util::stream::repeat(Bytes::from_static(b"x")).then(|drip| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(drip)
    });
    let refusal = refused(house.engine.put_part(&me(), put(upload.id, 1), std::pin::pin!(drips)).await);
    assert!(matches!(refusal, Refusal::BodyTooSlow { got_bytes: 4..=7 }), "{refusal:?}");
}

#[tokio::test(start_paused = true)]
async fn bodies_beyond_the_bound_are_told_to_come_again() {
    let house = House::new(Policy { bodies_max: 1, ..Policy::default() });
    let upload = begin(&house.engine, order("k", 8, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let holder = TaskTracker::new().spawn(async move {
        let mut frames = stalled_body(["01"]);
        engine.put_part(&me(), put(id, 1), std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(matches!(refused(send(&house.engine, id, 2, "0123").await), Refusal::Busy { .. }));
    holder.abort();
}

#[tokio::test]
async fn a_full_store_refuses_and_the_upload_goes_on_once_there_is_room() {
    let house = House::default();
    let upload = begin(&house.engine, order("k", 8, 4)).await;
    send(&house.engine, upload.id, 1, "0123").await.unwrap();
    house.store.set_full(true);
    assert_eq!(refused(send(&house.engine, upload.id, 2, "4567").await), Refusal::StoreFull);
    house.store.set_full(false);
    send(&house.engine, upload.id, 2, "4567").await.unwrap();
    house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "01234567");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_is_not_kept_out_by_its_own_dead_body() {
    let house = House::new(Policy { bodies_max: 1, ..Policy::default() });
    let upload = begin(&house.engine, order("k", 4, 4)).await;
    let (engine, id) = (house.engine.clone(), upload.id);
    let dead = TaskTracker::new().spawn(async move {
        let mut frames = stalled_body(["01"]);
        engine.put_part(&me(), put(id, 1), std::pin::pin!(&mut frames)).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    send(&house.engine, id, 1, "0123").await.unwrap();
    assert_eq!(refused(dead.await.unwrap()), Refusal::TakenOver);
}

#[tokio::test(start_paused = true)]
async fn a_part_is_recorded_before_its_seat_is_free_even_when_its_client_is_gone() {
    let house = House::default();
    let (engine, _) = fated_by(&house, Odds { is_slow: 100, ..Odds::default() });
    for gone_after_ms in (0..1200).step_by(4) {
        let upload = begin(&house.engine, order(&format!("k{gone_after_ms}"), 4, 4)).await;
        let leaving = send(&engine, upload.id, 1, "0123");
        tokio::time::timeout(Duration::from_millis(gone_after_ms), Box::pin(leaving)).await.ok();
        let mut other_bytes = cut_body(["XX"]);
        let other = engine.put_part(&me(), put(upload.id, 1), std::pin::pin!(&mut other_bytes)).await;
        assert_eq!(refused(other), Refusal::BodyCut { got_bytes: 2 });
        tokio::time::sleep(Duration::from_secs(5)).await;
        for part in house.engine.parts(&me(), upload.id, (0, 9)).await.unwrap() {
            let bytes = house.store.staged_bytes(&upload.place, (&part.mark, 0, 4)).unwrap();
            assert_eq!(
                digest(Algorithm::Crc64Nvme, &bytes),
                Digest::of_crc64(part.crc64.unwrap()),
                "{gone_after_ms} ms"
            );
        }
    }
}
