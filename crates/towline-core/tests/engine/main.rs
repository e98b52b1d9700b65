//! What the engine promises, one behaviour a test, over the memory doubles. Here are the helpers.
#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail where something is amiss")]

mod append;
mod create;
mod direct;
mod end;
mod expected;
mod janitor;
mod listed;
mod send;

use std::sync::Arc;

use bytes::Bytes;
use towline_core::catalog::Catalog;
use towline_core::clock::Clock;
use towline_core::digest::{Algorithm, Digest, Digester};
use towline_core::engine::{Append, Cut, Order, Parts, PutPart};
use towline_core::key::Key;
use towline_core::policy::{Operation, Policy, Principal};
use towline_core::store::Store;
use towline_core::testing::faulty::{Fate, FaultyCatalog, FaultyStore, Odds};
use towline_core::testing::{CountingIds, House, body};
use towline_core::upload::{About, Progress, Upload, UploadId};
use towline_core::{Engine, Error, Refusal};

pub(crate) fn me() -> Principal {
    Principal::anonymous()
}

pub(crate) fn other(owner: &str) -> Principal {
    let operations = vec![Operation::Upload, Operation::Read];
    Principal { owner: owner.to_owned(), operations, key_prefix: String::new() }
}

pub(crate) fn order(key: &str, total_bytes: u64, part_bytes: u64) -> Order {
    Order {
        key: Key::parse(key).unwrap(),
        cut: Cut::Even { wish_bytes: Some(part_bytes) },
        total_bytes: Some(total_bytes),
        about: About { filename: key.to_owned(), ..About::default() },
    }
}

pub(crate) fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut digester = Digester::new([algorithm]);
    digester.update(bytes);
    digester.finish().get(algorithm).unwrap()
}

pub(crate) async fn begin(engine: &Engine, order: Order) -> Upload {
    engine.create(&me(), order).await.unwrap().upload
}

pub(crate) fn put(id: UploadId, number: u64) -> PutPart {
    PutPart { id, number, size_bytes: None, declared: Vec::new(), computed: Vec::new() }
}

pub(crate) async fn send(engine: &Engine, id: UploadId, number: u64, bytes: &str) -> Result<Progress, Error> {
    let mut body = body([Bytes::copy_from_slice(bytes.as_bytes())]);
    let landed = engine.put_part(&me(), put(id, number), std::pin::pin!(&mut body).as_mut()).await?;
    Ok(landed.progress)
}

pub(crate) async fn append(
    engine: &Engine,
    id: UploadId,
    offset: u64,
    frames: &[&'static str],
) -> Result<u64, Error> {
    let append = Append { id, offset, size_bytes: None, declared: Vec::new() };
    let mut body = body(frames.iter().copied());
    Ok(engine.append(&me(), append, std::pin::pin!(&mut body).as_mut()).await?.offset)
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// An engine over the house's store and catalog that fails where the fate is aimed.
pub(crate) fn fated(house: &House) -> (Engine, Fate) {
    fated_by(house, Odds::default())
}

pub(crate) fn fated_by(house: &House, odds: Odds) -> (Engine, Fate) {
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
