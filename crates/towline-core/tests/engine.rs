//! What the engine promises, one behaviour a test, over the memory doubles.
#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail where something is amiss")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_util::task::TaskTracker;
use towline_core::catalog::Catalog;
use towline_core::clock::Clock;
use towline_core::digest::{Algorithm, Digest, Digester};
use towline_core::engine::{Append, Created, Cut, Listing, Order, Parts, PutPart};
use towline_core::key::{Key, KeyProblem};
use towline_core::policy::{Existing, Operation, Policy, Principal};
use towline_core::store::Store;
use towline_core::testing::faulty::{Fate, FaultyCatalog, FaultyStore, Odds};
use towline_core::testing::{CountingIds, House, body, cut_body, stalled_body};
use towline_core::upload::{About, Ending, Phase, PhaseName, Progress, Upload, UploadId};
use towline_core::{Engine, Error, Refusal};

fn me() -> Principal {
    Principal::anonymous()
}

fn other(owner: &str) -> Principal {
    let operations = vec![Operation::Upload, Operation::Read];
    Principal { owner: owner.to_owned(), operations, key_prefix: String::new() }
}

fn order(key: &str, total_bytes: u64, part_bytes: u64) -> Order {
    Order {
        key: Key::parse(key).unwrap(),
        cut: Cut::Even { wish_bytes: Some(part_bytes) },
        total_bytes: Some(total_bytes),
        about: About { filename: key.to_owned(), ..About::default() },
    }
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut digester = Digester::new([algorithm]);
    digester.update(bytes);
    digester.finish().get(algorithm).unwrap()
}

async fn begin(engine: &Engine, order: Order) -> Upload {
    engine.create(&me(), order).await.unwrap().upload
}

fn put(id: UploadId, number: u64) -> PutPart {
    PutPart { id, number, size_bytes: None, declared: Vec::new() }
}

async fn send(engine: &Engine, id: UploadId, number: u64, bytes: &str) -> Result<Progress, Error> {
    let mut body = body([Bytes::copy_from_slice(bytes.as_bytes())]);
    let landed = engine.put_part(&me(), put(id, number), std::pin::pin!(&mut body).as_mut()).await?;
    Ok(landed.progress)
}

async fn append(engine: &Engine, id: UploadId, offset: u64, frames: &[&'static str]) -> Result<u64, Error> {
    let append = Append { id, offset, size_bytes: None, declared: Vec::new() };
    let mut body = body(frames.iter().copied());
    Ok(engine.append(&me(), append, std::pin::pin!(&mut body).as_mut()).await?.offset)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// An engine over the house's store and catalog that fails where the fate is aimed.
fn fated(house: &House) -> (Engine, Fate) {
    fated_by(house, Odds::default())
}

fn fated_by(house: &House, odds: Odds) -> (Engine, Fate) {
    let fate = Fate::new(1, odds);
    let engine = Engine::new(Parts {
        store: Arc::new(FaultyStore::new(Arc::clone(&house.store) as Arc<dyn Store>, fate.clone())),
        catalog: Arc::new(FaultyCatalog::new(Arc::clone(&house.catalog) as Arc<dyn Catalog>, fate.clone())),
        clock: Arc::clone(&house.clock) as Arc<dyn Clock>,
        ids: Arc::new(CountingIds::default()),
        policy: Policy::default(),
    });
    (engine, fate)
}

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
    assert_eq!(Digest::of_crc64(receipt.crc64), digest(Algorithm::Crc64Nvme, b"0123456789"));
    assert_eq!(house.store.staged_count(), 0);
    let again = house.engine.finish(&me(), upload.id).await.unwrap();
    assert_eq!(again.phase, Phase::Sealed(receipt), "the same receipt again");
}

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
async fn a_create_is_answered_with_the_same_upload_by_key_and_by_fingerprint() {
    let house = House::default();
    let with = |about: About| Order { about, ..order("k", 8, 4) };
    let by_key = About { idempotency_key: Some("i".into()), ..About::default() };
    let by_print = About { fingerprint: Some("f".into()), ..About::default() };
    let mut ids = Vec::new();
    for about in [&by_key, &by_print, &by_key, &by_print] {
        let Created { upload, is_resumed } = house.engine.create(&me(), with(about.clone())).await.unwrap();
        ids.push((upload.id, is_resumed));
    }
    assert_eq!((ids[0].0, true), ids[2]);
    assert_eq!((ids[1].0, true), ids[3]);
    assert_ne!(ids[0].0, ids[1].0);
    let conflict = house.engine.create(&me(), Order { total_bytes: Some(9), ..with(by_key.clone()) }).await;
    assert_eq!(refused(conflict), Refusal::IdempotencyConflict);
    let another = house.engine.create(&other("bob"), with(by_key)).await.unwrap();
    assert!(!another.is_resumed, "handles belong to their owner");
    let changed = house.engine.create(&me(), Order { total_bytes: Some(9), ..with(by_print) }).await.unwrap();
    assert!(!changed.is_resumed, "a file of another size is another file");
}

#[tokio::test]
async fn uploads_of_others_do_not_exist() {
    let house = House::default();
    let (ann, bob) = (other("ann"), other("bob"));
    let upload = house.engine.create(&ann, order("k", 4, 4)).await.unwrap().upload;
    let hidden = Refusal::UploadNotFound(upload.id);
    assert_eq!(refused(house.engine.status(&bob, upload.id).await), hidden);
    assert_eq!(refused(house.engine.parts(&bob, upload.id, (0, 1)).await), hidden);
    assert_eq!(refused(house.engine.finish(&bob, upload.id).await), hidden);
    assert_eq!(refused(house.engine.abandon(&bob, upload.id).await), hidden);
    let mut frames = body(["0123"]);
    let put = house.engine.put_part(&bob, put(upload.id, 1), std::pin::pin!(&mut frames)).await;
    assert_eq!(refused(put), hidden);
    assert!(house.engine.list(&bob, Listing::default()).await.unwrap().uploads.is_empty());
    assert_eq!(house.engine.list(&me(), Listing::default()).await.unwrap().uploads.len(), 1);
    let mut frames = body(["0123"]);
    let put = PutPart { id: upload.id, number: 1, size_bytes: None, declared: vec![] };
    house.engine.put_part(&ann, put, std::pin::pin!(&mut frames)).await.unwrap();
    house.engine.finish(&ann, upload.id).await.unwrap();
    let key = Key::parse("k").unwrap();
    assert_eq!(refused(house.engine.read(&bob, key.clone()).await), Refusal::FileNotFound(key.clone()));
    assert!(house.engine.read(&ann, key).await.unwrap().upload.is_some());
}

#[tokio::test]
async fn a_principal_stays_within_its_prefix_and_operations() {
    let house = House::default();
    let narrow = Principal { key_prefix: "in/".into(), ..other("ann") };
    house.engine.create(&narrow, order("in/k", 4, 4)).await.unwrap();
    let outside = house.engine.create(&narrow, order("out/k", 4, 4)).await;
    assert_eq!(refused(outside), Refusal::Forbidden(Operation::Upload));
    let reader = Principal { operations: vec![Operation::Read], ..other("ann") };
    let refusal = refused(house.engine.create(&reader, order("k", 4, 4)).await);
    assert_eq!(refusal, Refusal::Forbidden(Operation::Upload));
    let writer = Principal { operations: vec![Operation::Upload], ..other("ann") };
    let refusal = refused(house.engine.read(&writer, Key::parse("k").unwrap()).await);
    assert_eq!(refusal, Refusal::Forbidden(Operation::Read));
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_when_it_is_created() {
    let house = House::new(Policy { total_bytes_max: Some(100), ..Policy::default() });
    let large = house.engine.create(&me(), order("k", 101, 4)).await;
    assert_eq!(refused(large), Refusal::TooLarge { got_bytes: 101, allowed_bytes: 100 });
    let long = "s".repeat(256);
    let refusal = refused(house.engine.create(&me(), order(&long, 1, 4)).await);
    let problem = KeyProblem::SegmentTooLong { bytes: 256, allowed: 255 };
    assert_eq!(refusal, Refusal::BadKey { text: long, problem });
    let zero = house.engine.create(&me(), order("k", 1, 0)).await;
    assert!(matches!(refused(zero), Refusal::PartBytes { .. }));
    let about = About { metadata: vec![("k".into(), "v".repeat(9000))], ..About::default() };
    let heavy = house.engine.create(&me(), Order { about, ..order("k", 1, 1) }).await;
    assert!(matches!(refused(heavy), Refusal::BadField { field, .. } if field == "metadata"));
    let upload = begin(&house.engine, order("file", 0, 4)).await;
    house.engine.finish(&me(), upload.id).await.unwrap();
    let below = house.engine.create(&me(), order("file/below", 1, 4)).await;
    assert!(matches!(refused(below), Refusal::KeyBlocked { is_folder: false, .. }));
    assert_eq!(house.store.staged_count(), 0, "nothing of a refused request is kept");
}

#[tokio::test]
async fn an_existing_file_is_replaced_or_refused_as_the_policy_says() {
    for (existing, is_refused) in [(Existing::Replace, false), (Existing::Refuse, true)] {
        let house = House::new(Policy { existing, ..Policy::default() });
        let first = begin(&house.engine, order("k", 3, 4)).await;
        send(&house.engine, first.id, 1, "one").await.unwrap();
        house.engine.finish(&me(), first.id).await.unwrap();
        let second = house.engine.create(&me(), order("k", 3, 4)).await;
        if is_refused {
            assert_eq!(refused(second), Refusal::KeyTaken(Key::parse("k").unwrap()));
            continue;
        }
        let second = second.unwrap().upload;
        send(&house.engine, second.id, 1, "two").await.unwrap();
        house.engine.finish(&me(), second.id).await.unwrap();
        assert_eq!(house.store.object("k").unwrap(), "two");
    }
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
async fn the_janitor_gives_up_the_expired_forgets_them_later_and_removes_orphans() {
    let house = House::default();
    let keep = house.engine.policy().keep_unfinished;
    let old = begin(&house.engine, order("old", 8, 4)).await;
    house.clock.advance(keep / 2);
    let alive = begin(&house.engine, order("alive", 8, 4)).await;
    let orphan = UploadId::from_u128(99);
    house.store.open(orphan, &Key::parse("orphan").unwrap()).await.unwrap();
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

#[tokio::test]
async fn a_file_finished_meanwhile_is_not_replaced_where_the_policy_says_so() {
    let house = House::new(Policy { existing: Existing::Refuse, ..Policy::default() });
    let (first, second) =
        (begin(&house.engine, order("k", 3, 4)).await, begin(&house.engine, order("k", 3, 4)).await);
    send(&house.engine, first.id, 1, "one").await.unwrap();
    send(&house.engine, second.id, 1, "two").await.unwrap();
    house.engine.finish(&me(), first.id).await.unwrap();
    let late = refused(house.engine.finish(&me(), second.id).await);
    assert_eq!(late, Refusal::KeyTaken(Key::parse("k").unwrap()));
    assert_eq!(house.store.object("k").unwrap(), "one");
    assert_eq!(house.engine.status(&me(), second.id).await.unwrap().phase, Phase::Open);
}

#[tokio::test]
async fn a_file_is_its_owners_also_when_an_older_upload_was_finished_last() {
    let house = House::default();
    let ann = other("ann");
    let mut uploads = Vec::new();
    for _ in 0..2 {
        uploads.push(house.engine.create(&ann, order("k", 0, 4)).await.unwrap().upload);
        house.clock.advance(Duration::from_secs(1));
    }
    for upload in uploads.iter().rev() {
        house.engine.finish(&ann, upload.id).await.unwrap();
    }
    let download = house.engine.read(&ann, Key::parse("k").unwrap()).await.unwrap();
    assert_eq!(download.upload.unwrap().id, uploads[0].id);
}

#[tokio::test]
async fn a_key_that_no_file_can_have_is_not_found() {
    let house = House::default();
    let key = Key::parse(&"n".repeat(300)).unwrap();
    assert_eq!(refused(house.engine.read(&me(), key.clone()).await), Refusal::FileNotFound(key));
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

#[tokio::test(start_paused = true)]
async fn a_part_is_recorded_before_its_seat_is_free_even_when_its_client_is_gone() {
    let house = House::default();
    let (engine, _) = fated_by(&house, Odds { is_slow: 100, ..Odds::default() });
    for gone_after_ms in (0..1200).step_by(4) {
        let upload = begin(&house.engine, order(&format!("k{gone_after_ms}"), 4, 4)).await;
        let leaving = send(&engine, upload.id, 1, "0123");
        tokio::time::timeout(Duration::from_millis(gone_after_ms), leaving).await.ok();
        let mut other_bytes = cut_body(["XX"]);
        let other = engine.put_part(&me(), put(upload.id, 1), std::pin::pin!(&mut other_bytes)).await;
        assert_eq!(refused(other), Refusal::BodyCut { got_bytes: 2 });
        tokio::time::sleep(Duration::from_secs(5)).await;
        for part in house.engine.parts(&me(), upload.id, (0, 9)).await.unwrap() {
            let bytes = house.store.staged_bytes(&upload.place, (&part.mark, 0, 4)).unwrap();
            assert_eq!(
                digest(Algorithm::Crc64Nvme, &bytes),
                Digest::of_crc64(part.crc64),
                "{gone_after_ms} ms"
            );
        }
    }
}
