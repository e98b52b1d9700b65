//! Fault injectors: the same store or catalog, but calls fail before or after they took effect, take their
//! time, or are seen half done by whoever gives up meanwhile. Seeded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, Cursor, Entry, Fetched, Filter, Handle, Inserted, Page, Recorded};
use crate::clock::Timestamp;
use crate::error::{Fault, FaultKind};
use crate::key::Key;
use crate::store::{
    ByteStream, Direct, Holder, Limits, Listed, Mark, Object, Opened, PartPlace, PartWriter, Place, Seal,
    Spot, Store,
};
use crate::upload::{About, Part, Tail, Upload, UploadId};

/// How often things go wrong, in percent of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// Nothing happened, and the caller is told that it failed.
    pub fails_before: u8,
    /// It happened, but the caller is told that it failed.
    pub fails_after: u8,
    /// The call waits before and after its effect.
    pub is_slow: u8,
}

/// Decides over calls; shared by the injectors of one life.
#[derive(Clone, Debug)]
pub struct Fate(Arc<Mutex<Dice>>);

#[derive(Debug)]
struct Dice {
    rng: fastrand::Rng,
    odds: Odds,
    aim: Option<&'static str>,
}

impl Fate {
    pub fn new(seed: u64, odds: Odds) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self(Arc::new(Mutex::new(Dice { rng, odds, aim: None })))
    }

    /// The next call of this name fails before it does anything.
    pub fn aim(&self, doing: &'static str) {
        self.dice().aim = Some(doing);
    }

    fn dice(&self) -> MutexGuard<'_, Dice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strikes(&self, percent: impl Fn(&Odds) -> u8) -> bool {
        let mut dice = self.dice();
        let percent = percent(&dice.odds);
        dice.rng.u8(0..100) < percent
    }

    async fn pause(&self) {
        if self.strikes(|odds| odds.is_slow) {
            let wait_ms = self.dice().rng.u64(1..200);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    /// Lets the call through, or not.
    async fn before(&self, doing: &'static str) -> Result<(), Fault> {
        self.pause().await;
        let is_aimed_at = self.dice().aim.take_if(|aim| *aim == doing).is_some();
        if is_aimed_at || self.strikes(|odds| odds.fails_before) {
            return Err(Fault::new(FaultKind::Unavailable, doing, "injected before"));
        }
        Ok(())
    }

    /// Lets the answer through, or not.
    async fn after<T>(&self, doing: &'static str, answer: Result<T, Fault>) -> Result<T, Fault> {
        self.pause().await;
        if self.strikes(|odds| odds.fails_after) {
            return Err(Fault::new(FaultKind::Unavailable, doing, "injected after"));
        }
        answer
    }
}

/// A store that fails by fate.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    fate: Fate,
}

/// A catalog that fails by fate.
#[derive(Debug)]
pub struct FaultyCatalog {
    inner: Arc<dyn Catalog>,
    fate: Fate,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn Store>, fate: Fate) -> Self {
        Self { inner, fate }
    }

    fn wrap(&self, writer: Box<dyn PartWriter>) -> Box<dyn PartWriter> {
        Box::new(FaultyWriter { inner: writer, fate: self.fate.clone() })
    }
}

impl FaultyCatalog {
    pub fn new(inner: Arc<dyn Catalog>, fate: Fate) -> Self {
        Self { inner, fate }
    }
}

struct FaultyWriter {
    inner: Box<dyn PartWriter>,
    fate: Fate,
}

#[async_trait]
impl PartWriter for FaultyWriter {
    async fn write(&mut self, frame: Bytes) -> Result<(), Fault> {
        self.fate.before("writing a frame").await?;
        self.inner.write(frame).await
    }

    async fn land(self: Box<Self>) -> Result<Mark, Fault> {
        self.fate.before("landing").await?;
        let landed = self.inner.land().await;
        self.fate.after("landing", landed).await
    }

    async fn park(self: Box<Self>) -> Result<Mark, Fault> {
        self.fate.before("parking").await?;
        let parked = self.inner.park().await;
        self.fate.after("parking", parked).await
    }
}

#[async_trait]
impl Store for FaultyStore {
    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn open(&self, id: UploadId, key: &Key, about: &About) -> Result<Opened, Fault> {
        self.fate.before("opening").await?;
        let opened = self.inner.open(id, key, about).await;
        self.fate.after("opening", opened).await
    }

    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        self.fate.before("beginning a part").await?;
        Ok(self.wrap(self.inner.write_part(at, spot).await?))
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        self.fate.before("continuing a part").await?;
        Ok(self.wrap(self.inner.continue_part(at, tail).await?))
    }

    async fn drop_part(&self, place: &Place, number: u32, mark: &Mark) -> Result<(), Fault> {
        self.fate.before("dropping a part").await?;
        let dropped = self.inner.drop_part(place, number, mark).await;
        self.fate.after("dropping a part", dropped).await
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        self.fate.before("reading parts").await?;
        self.inner.read_parts(place, parts).await
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        self.fate.before("sealing").await?;
        let sealed = self.inner.seal(place, key, parts).await;
        self.fate.after("sealing", sealed).await
    }

    async fn is_sealed(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<bool, Fault> {
        self.fate.before("asking for a seal").await?;
        self.inner.is_sealed(place, key, parts).await
    }

    fn can_repair(&self, place: &Place) -> bool {
        self.inner.can_repair(place)
    }

    fn part_tag(&self, part: &Part) -> String {
        self.inner.part_tag(part)
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        self.fate.before("discarding").await?;
        let discarded = self.inner.discard(place).await;
        self.fate.after("discarding", discarded).await
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        self.fate.before("surveying").await?;
        self.inner.survey(before, after, limit).await
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        self.inner.has(key).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        self.inner.read(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        self.inner.list(prefix, after, limit).await
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        self.fate.before("removing").await?;
        self.inner.remove(key).await
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.inner.direct()
    }

    async fn check(&self) -> Result<(), Fault> {
        self.inner.check().await
    }
}

#[async_trait]
impl Catalog for FaultyCatalog {
    async fn insert(&self, upload: &Upload) -> Result<Inserted, Fault> {
        self.fate.before("inserting").await?;
        let inserted = self.inner.insert(upload).await;
        self.fate.after("inserting", inserted).await
    }

    async fn fetch(&self, id: UploadId, number: Option<u32>) -> Result<Option<Fetched>, Fault> {
        self.fate.before("fetching").await?;
        let fetched = self.inner.fetch(id, number).await;
        self.fate.pause().await;
        fetched
    }

    async fn find(&self, owner: &str, handle: &Handle) -> Result<Option<Upload>, Fault> {
        self.fate.before("finding").await?;
        self.inner.find(owner, handle).await
    }

    async fn claim(&self, id: UploadId) -> Result<Option<Upload>, Fault> {
        self.fate.before("claiming").await?;
        let claimed = self.inner.claim(id).await;
        self.fate.after("claiming", claimed).await
    }

    /// A fact that is handed over is recorded even when nobody waits for it any more, as by a queue or a server of
    /// its own.
    async fn record(&self, entry: Entry) -> Result<Recorded, Fault> {
        self.fate.before("recording").await?;
        let (inner, fate) = (Arc::clone(&self.inner), self.fate.clone());
        let queued = TaskTracker::new().spawn(async move {
            fate.pause().await;
            inner.record(entry).await
        });
        let recorded = queued.await.expect("the double does not panic");
        self.fate.after("recording", recorded).await
    }

    async fn parts(&self, id: UploadId, after: u32, limit: usize) -> Result<Vec<Part>, Fault> {
        self.fate.before("reading parts").await?;
        self.inner.parts(id, after, limit).await
    }

    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Fault> {
        self.fate.before("listing").await?;
        self.inner.list(filter, after, limit).await
    }

    async fn count(&self, filter: &Filter) -> Result<u64, Fault> {
        self.inner.count(filter).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Upload>, Fault> {
        self.fate.before("looking for expired").await?;
        self.inner.expired(now, limit).await
    }

    async fn uncleared(&self, limit: usize) -> Result<Vec<Upload>, Fault> {
        self.fate.before("looking for uncleared").await?;
        self.inner.uncleared(limit).await
    }

    async fn clear(&self, id: UploadId) -> Result<(), Fault> {
        self.fate.before("clearing").await?;
        let cleared = self.inner.clear(id).await;
        self.fate.after("clearing", cleared).await
    }

    async fn forgettable(&self, before: Timestamp, limit: usize) -> Result<Vec<UploadId>, Fault> {
        self.inner.forgettable(before, limit).await
    }

    async fn forget(&self, id: UploadId) -> Result<(), Fault> {
        self.fate.before("forgetting").await?;
        self.inner.forget(id).await
    }

    async fn check(&self) -> Result<(), Fault> {
        self.inner.check().await
    }
}
