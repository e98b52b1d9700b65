//! Doubles, fault injectors, contract suites and stories, for the tests of every crate. Behind the feature
//! "testing"; nothing of it is in the product.

pub mod catalog_contract;
pub mod direct;
pub mod faulty;
pub mod memory_catalog;
pub mod memory_store;
pub mod store_contract;
pub mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::catalog::Catalog;
use crate::clock::{Clock, Ids, Timestamp};
use crate::engine::{BodyEnd, Engine, Parts};
use crate::policy::Policy;
use crate::store::Store;
use crate::upload::UploadId;
use direct::DirectStore;
use memory_catalog::MemoryCatalog;
use memory_store::MemoryStore;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl Default for ManualClock {
    /// 2026-11-21T00:00:00Z.
    fn default() -> Self {
        Self(AtomicI64::new(1_795_219_200_000))
    }
}

impl ManualClock {
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("a test's span fits");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count up, so that transcripts can be compared: `00000000-0000-4000-8000-000000000001` and on.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn fresh(&self) -> UploadId {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        UploadId::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + u128::from(count))
    }
}

/// An engine over memory doubles, with everything within reach.
#[derive(Clone, Debug)]
pub struct House {
    pub engine: Engine,
    pub store: Arc<MemoryStore>,
    pub catalog: Arc<MemoryCatalog>,
    pub clock: Arc<ManualClock>,
}

impl Default for House {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl House {
    pub fn new(policy: Policy) -> Self {
        Self::of(policy, |store| store)
    }

    /// One whose store clients reach by URLs of its own.
    pub fn direct(policy: Policy) -> Self {
        Self::of(policy, |store| Arc::new(DirectStore::new(store)))
    }

    fn of(policy: Policy, face: impl FnOnce(Arc<MemoryStore>) -> Arc<dyn Store>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let clock_too: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = Arc::new(MemoryStore::new(clock_too));
        let catalog = Arc::new(MemoryCatalog::default());
        let engine = Engine::new(Parts {
            store: face(Arc::clone(&store)),
            catalog: Arc::clone(&catalog) as Arc<dyn Catalog>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(CountingIds::default()),
            policy,
        });
        Self { engine, store, catalog, clock }
    }
}

/// A body of the given frames.
pub fn body<F: Into<Bytes>>(
    frames: impl IntoIterator<Item = F>,
) -> impl Stream<Item = Result<Bytes, BodyEnd>> + Send + Unpin {
    let frames: Vec<_> = frames.into_iter().map(|frame| Ok(frame.into())).collect();
    stream::iter(frames)
}

/// A body that breaks off after the given frames.
pub fn cut_body<F: Into<Bytes>>(
    frames: impl IntoIterator<Item = F>,
) -> impl Stream<Item = Result<Bytes, BodyEnd>> + Send + Unpin {
    let mut frames: Vec<_> = frames.into_iter().map(|frame| Ok(frame.into())).collect();
    frames.push(Err(BodyEnd::Cut));
    stream::iter(frames)
}

/// A body that falls silent after the given frames.
pub fn stalled_body<F: Into<Bytes>>(
    frames: impl IntoIterator<Item = F>,
) -> impl Stream<Item = Result<Bytes, BodyEnd>> + Send + Unpin {
    use futures_util::StreamExt as _;
    body(frames).chain(stream::pending())
}
