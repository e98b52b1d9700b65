//! Beginning, finding again, and who may see what.

use std::time::Duration;

use towline_core::Refusal;
use towline_core::engine::{Created, Listing, Order, PutPart};
use towline_core::key::{Key, KeyProblem};
use towline_core::policy::{Existing, Operation, Policy, Principal};
use towline_core::testing::{House, body};
use towline_core::upload::{About, Phase};

use super::*;

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
    let put = PutPart { id: upload.id, number: 1, size_bytes: None, declared: vec![], computed: vec![] };
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
    let wide = house.engine.create(&other("ann"), order("out/k", 4, 4)).await.unwrap().upload;
    let hidden = Refusal::UploadNotFound(wide.id);
    assert_eq!(refused(house.engine.status(&narrow, wide.id).await), hidden);
    assert_eq!(refused(house.engine.abandon(&narrow, wide.id).await), hidden);
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
