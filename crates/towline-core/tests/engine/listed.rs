//! Finishing as S3's clients do, with a list of parts, and whole files in one request.

use futures_util::Stream;
use towline_core::engine::{BodyEnd, Claimed};
use towline_core::testing::{House, cut_body};
use towline_core::upload::{Phase, PhaseName};

use super::*;

fn free(key: &str) -> Order {
    Order { cut: Cut::Free, total_bytes: None, ..order(key, 0, 1) }
}

fn house() -> House {
    House::new(Policy { free_part_bytes_min: 4, ..Policy::default() })
}

async fn send_all(house: &House, id: UploadId, parts: &[(u64, &'static str)]) -> Vec<Claimed> {
    let mut claimed = Vec::new();
    for (number, bytes) in parts {
        let put = PutPart { computed: vec![Algorithm::Md5], ..put(id, *number) };
        let mut body = body([*bytes]);
        let landed = house.engine.put_part(&me(), put, std::pin::pin!(&mut body).as_mut()).await.unwrap();
        claimed.push(Claimed { number: *number, tag: house.engine.part_tag(&landed.part) });
    }
    claimed
}

async fn put_whole(
    house: &House,
    who: &Principal,
    order: Order,
    body: impl Stream<Item = Result<Bytes, BodyEnd>> + Send,
) -> Result<Upload, Error> {
    let body = std::pin::pin!(body);
    house.engine.put_object(who, (order, Vec::new()), body).await
}

fn tag_of(upload: &Upload) -> String {
    let Phase::Sealed(receipt) = &upload.phase else { panic!("{:?}", upload.phase) };
    receipt.tag.clone().unwrap()
}

#[tokio::test]
async fn the_object_is_made_of_the_listed_parts_only_and_named_as_s3_names_it() {
    let house = house();
    let id = begin(&house.engine, free("k")).await.id;
    let mut listed = send_all(&house, id, &[(2, "aaaa"), (4, "bbbb"), (7, "c"), (9, "dddd")]).await;
    listed.remove(1);
    listed.pop();
    listed[0].tag = format!("\"{}\"", listed[0].tag.to_uppercase());
    let sealed = house.engine.finish_listed(&me(), id, listed.clone()).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "aaaac");
    // MD5 of the two parts' MD5s.
    assert_eq!(tag_of(&sealed), "e3bc5de8b16545dc183a8cf8bf2937c1-2");
    let again = house.engine.finish_listed(&me(), id, listed.clone()).await.unwrap();
    assert_eq!(again.phase, sealed.phase);
    assert_eq!(house.engine.finish(&me(), id).await.unwrap().phase, sealed.phase);
    listed.pop();
    let other = refused(house.engine.finish_listed(&me(), id, listed).await);
    assert_eq!(other, Refusal::NotOpen(PhaseName::Sealed), "the file is not of this list");
    assert_eq!(house.store.staged_count(), 0);
}

#[tokio::test]
async fn what_does_not_add_up_to_the_declared_size_is_refused_and_loses_nothing() {
    let house = house();
    let id = begin(&house.engine, Order { total_bytes: Some(6), ..free("k") }).await.id;
    assert_eq!(
        refused(house.engine.finish(&me(), id).await),
        Refusal::MissingParts { first: vec![1], count: 1 }
    );
    let listed = send_all(&house, id, &[(1, "aaaa"), (3, "cc")]).await;
    let less = house.engine.finish_listed(&me(), id, listed[..1].to_vec()).await;
    assert_eq!(refused(less), Refusal::MissingBytes { landed_bytes: 4, total_bytes: 6 });
    let more = send_all(&house, id, &[(4, "d")]).await;
    let too_much = house.engine.finish(&me(), id).await;
    assert!(matches!(refused(too_much), Refusal::PartTooSmall { number: 3, .. }), "{more:?}");
    house.engine.finish_listed(&me(), id, listed).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "aaaacc");
}

#[tokio::test]
async fn a_list_that_is_not_what_landed_is_refused_and_loses_nothing() {
    let house = house();
    let id = begin(&house.engine, free("k")).await.id;
    let listed = send_all(&house, id, &[(1, "aaaa"), (2, "bbb"), (3, "cccc")]).await;
    let me = me();
    let with = |change: fn(&mut Vec<Claimed>)| {
        let mut changed = listed.clone();
        change(&mut changed);
        house.engine.finish_listed(&me, id, changed)
    };
    let small = Refusal::PartTooSmall { number: 2, got_bytes: 3, needed_bytes: 4 };
    assert_eq!(refused(with(|_| {}).await), small);
    assert_eq!(refused(house.engine.finish(&me, id).await), small);
    let wrong = with(|list| list[2].tag = "0".repeat(32));
    assert_eq!(refused(wrong.await), Refusal::PartTag { number: 3 });
    let absent = with(|list| list[2].number = 4);
    assert_eq!(refused(absent.await), Refusal::PartTag { number: 4 });
    let huge = with(|list| list[2].number = u64::MAX);
    assert_eq!(refused(huge.await), Refusal::PartTag { number: u64::MAX });
    for disorder in [with(|list| list.reverse()), with(|list| list.insert(0, list[0].clone()))] {
        assert!(matches!(refused(disorder.await), Refusal::BadField { .. }));
    }
    let none = with(Vec::clear);
    assert_eq!(refused(none.await), Refusal::MissingParts { first: vec![1], count: 1 });
    assert_eq!(house.engine.status(&me, id).await.unwrap().progress.landed_count, 3);
    with(|list| drop(list.remove(1))).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "aaaacccc");
}

#[tokio::test]
async fn a_whole_file_in_one_request_is_sealed_or_leaves_nothing() {
    let house = house();
    let order = Order { total_bytes: Some(5), ..free("whole") };
    let whole = put_whole(&house, &me(), order, body(["hel", "lo"])).await.unwrap();
    assert_eq!(tag_of(&whole), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(house.store.object("whole").unwrap(), "hello");
    let empty = put_whole(&house, &me(), free("empty"), body([""; 0])).await.unwrap();
    assert_eq!(tag_of(&empty), "d41d8cd98f00b204e9800998ecf8427e");
    let broken = put_whole(&house, &me(), free("cut"), cut_body(["hel"])).await;
    assert_eq!(refused(broken), Refusal::BodyCut { got_bytes: 3 });
    assert!(house.store.object("cut").is_none());
    assert_eq!(house.store.staged_count(), 0);
}

#[tokio::test]
async fn files_are_listed_and_removed_by_those_who_may() {
    let house = house();
    for (key, owner) in [("a/1", "ann"), ("a/2", "bob"), ("b", "ann")] {
        let who = Principal { owner: owner.to_owned(), ..Principal::anonymous() };
        put_whole(&house, &who, free(key), body(["x"])).await.unwrap();
    }
    let operations = vec![Operation::Read, Operation::Delete];
    let ann = Principal { owner: "ann".to_owned(), operations, key_prefix: String::new() };
    let names = async |who: &Principal, prefix: &str| {
        let page = house.engine.objects(who, prefix, ("", 10)).await.unwrap();
        page.files.iter().map(|found| found.object.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ann, "").await, ["a/1", "b"]);
    assert_eq!(names(&Principal::anonymous(), "a/").await, ["a/1", "a/2"]);
    let key = |text| Key::parse(text).unwrap();
    assert!(!house.engine.remove(&ann, &key("a/2")).await.unwrap(), "it does not exist for her");
    assert!(house.store.object("a/2").is_some());
    assert!(house.engine.remove(&ann, &key("a/1")).await.unwrap());
    assert!(house.store.object("a/1").is_none());
    let reader = Principal { operations: vec![Operation::Read], ..ann };
    let refusal = refused(house.engine.remove(&reader, &key("b")).await);
    assert_eq!(refusal, Refusal::Forbidden(Operation::Delete));
}

#[tokio::test]
async fn an_even_plan_needs_all_of_its_parts_in_the_list() {
    let house = house();
    let id = begin(&house.engine, order("k", 8, 4)).await.id;
    let mut listed = send_all(&house, id, &[(1, "aaaa"), (2, "bbbb")]).await;
    let last = listed.pop().unwrap();
    let refusal = refused(house.engine.finish_listed(&me(), id, listed.clone()).await);
    assert!(matches!(refusal, Refusal::BadField { .. }), "{refusal:?}");
    listed.push(last);
    house.engine.finish_listed(&me(), id, listed).await.unwrap();
    assert_eq!(house.store.object("k").unwrap(), "aaaabbbb");
}
