//! The engine: what may happen to an upload, and in which order. Bytes, then fact, then reply.
//!
//! Every operation is one file below. Doors call them, stores and catalogs are called by them, and only here
//! is anything refused.

mod abandon;
mod admission;
mod append;
mod create;
mod direct;
mod expected;
mod finish;
mod janitor;
mod listed;
mod look;
mod objects;
mod put_object;
mod put_part;
mod tally;
mod total;

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, Entry, Fact, Recorded};
use crate::clock::{Clock, Ids, Timestamp};
use crate::error::{Error, Fault, FaultKind, Refusal};
use crate::event::{Bulletin, Watcher};
use crate::lease::Leases;
use crate::policy::{Operation, Policy, Principal};
use crate::store::{Limits, Store};
use crate::upload::{Phase, Upload, UploadId};

pub use append::{Append, Appended};
pub use create::{Created, Cut, Order};
pub use expected::Expected;
pub use janitor::Swept;
pub use listed::Claimed;
pub use look::{Download, Listing};
pub use objects::{Found, FoundPage};
pub use put_part::{Landed, PutPart};
pub use tally::{Count, Tally};

use finish::Sealing;

/// How often an operation begins again because another node claimed the upload meanwhile.
const TRIES_MAX: usize = 3;

/// How many parts are read from the catalog at once.
const PAGE: usize = 1000;

/// How many seals read a whole file at once: more would only take the disk from each other.
const VERIFYING_MAX: usize = 2;

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub catalog: Arc<dyn Catalog>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub policy: Policy,
}

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Room>);

struct Room {
    store: Arc<dyn Store>,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    policy: Policy,
    limits: Limits,
    leases: Leases,
    bodies: Arc<Semaphore>,
    bulletin: Arc<Bulletin>,
    tally: Tally,
    /// Seals that are under way in this process: whoever asks again waits for the same one.
    sealing: Mutex<HashMap<UploadId, Sealing>>,
    /// How many seals read a whole file at once.
    verifying: Semaphore,
    /// Held from the look whether a key is free until it is taken, where files must not be replaced.
    publishing: tokio::sync::Mutex<()>,
    /// Work that outlives the request that began it.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("store", &self.0.store).field("catalog", &self.0.catalog).finish()
    }
}

/// The bytes of a request as they come from the client.
pub type Body<'a> = Pin<&'a mut (dyn Stream<Item = Result<Bytes, BodyEnd>> + Send)>;

/// Why a body ended before its end.
#[derive(Clone, Debug)]
pub enum BodyEnd {
    /// The connection is gone.
    Cut,
    /// The door cannot read on (a form without its field, a bad signature).
    Refused(Refusal),
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        let Parts { store, catalog, clock, ids, policy } = parts;
        let mut limits = store.limits();
        if let Some(allowed) = policy.total_bytes_max {
            limits.total_bytes_max = limits.total_bytes_max.min(allowed);
        }
        Self(Arc::new(Room {
            store,
            catalog,
            clock,
            ids,
            limits,
            leases: Leases::default(),
            bodies: Arc::new(Semaphore::new(policy.bodies_max)),
            bulletin: Arc::default(),
            tally: Tally::default(),
            sealing: Mutex::default(),
            verifying: Semaphore::new(VERIFYING_MAX),
            publishing: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            policy,
        }))
    }

    /// What the store can hold, narrowed by the policy.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The engine's clock, for doors that write dates and compute ages.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// An id that nothing has yet, for doors that make up names.
    pub fn fresh_id(&self) -> UploadId {
        self.0.ids.fresh()
    }

    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Hears of changes to one upload in this process.
    pub fn watch(&self, id: UploadId) -> Watcher {
        self.0.bulletin.watch(id)
    }

    /// Whether store and catalog can be written to now.
    pub async fn check(&self) -> Result<(), Error> {
        self.0.store.check().await?;
        self.0.catalog.check().await?;
        Ok(())
    }

    /// Begins to stop: appended bodies are parked, watchers end. Parts under way may go on.
    pub fn begin_stop(&self) {
        self.0.stopping.cancel();
    }

    /// Resolves when the engine begins to stop.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Waits for seals that outlive their requests. Bound it: correctness does not depend on it.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Room {
    /// Does work to its end, also when the one who waits for it is gone: a fact that is on its way into the catalog
    /// arrives there all the same, and until then nobody else may have its seat.
    fn see_through<T, W>(&self, work: W) -> impl Future<Output = T> + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        let task = self.tasks.spawn(work);
        async move {
            match task.await {
                Ok(done) => done,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime ends, and this with it.
                    Err(_) => std::future::pending().await,
                },
            }
        }
    }

    /// Hides an upload from everybody but its owner and managers, within the keys they may name.
    fn admit(who: &Principal, upload: &Upload) -> Result<(), Refusal> {
        let is_own = upload.owner == who.owner || who.may(Operation::Manage);
        if !is_own || !who.may_name(&upload.key) {
            return Err(Refusal::UploadNotFound(upload.id));
        }
        if !who.may(Operation::Upload) && !who.may(Operation::Manage) {
            return Err(Refusal::Forbidden(Operation::Upload));
        }
        Ok(())
    }

    /// Refuses parts where none are taken: at the end of an upload's life, and where one that is not what was declared
    /// cannot be repaired.
    fn check_takes_parts(&self, upload: &Upload) -> Result<(), Refusal> {
        let is_spent = upload.phase == Phase::Disputed && !self.store.can_repair(&upload.place);
        if is_spent || !upload.phase.takes_parts() {
            return Err(Refusal::NotOpen(upload.phase.name()));
        }
        Ok(())
    }

    async fn fetch(&self, who: &Principal, id: UploadId) -> Result<Upload, Error> {
        let fetched = self.catalog.fetch(id, None).await?.ok_or(Refusal::UploadNotFound(id))?;
        Self::admit(who, &fetched.upload)?;
        Ok(fetched.upload)
    }

    /// Raises the epoch of an upload that was seen a moment ago.
    async fn claim(&self, id: UploadId) -> Result<Upload, Error> {
        Ok(self.catalog.claim(id).await?.ok_or(Refusal::UploadNotFound(id))?)
    }

    /// Records a fact and tells the watchers; what it superseded is dropped from the store.
    async fn record(&self, upload: &Upload, fact: Fact) -> Result<Recorded, Error> {
        let lives_on = match &fact {
            Fact::PartLanded(_)
            | Fact::TailParked(_)
            | Fact::PartLost(..)
            | Fact::TotalDeclared(_)
            | Fact::SealBegun
            | Fact::Disputed
            | Fact::SealUndone => self.policy.keep_unfinished,
            Fact::Sealed(_) | Fact::Abandoned(_) => std::time::Duration::ZERO,
        };
        let expires_at = self.clock.now() + lives_on;
        let entry = Entry { id: upload.id, epoch: upload.epoch, fact, expires_at };
        let recorded = self.catalog.record(entry).await?;
        match &recorded {
            Recorded::Done { superseded, .. } => {
                for (number, mark) in superseded {
                    // What stays behind is garbage that goes with the place: no reason to fail the request.
                    if let Err(fault) = self.store.drop_part(&upload.place, *number, mark).await {
                        self.tally.note_ignored(&fault);
                    }
                }
                self.bulletin.announce(upload.id);
            }
            Recorded::Repeat { .. } | Recorded::Stale => {}
        }
        Ok(recorded)
    }

    /// Clears the place of an ended upload, if it can. Else the janitor comes again.
    async fn clear(&self, upload: &Upload) -> bool {
        let cleared = async {
            self.store.discard(&upload.place).await?;
            self.catalog.clear(upload.id).await
        };
        cleared.await.inspect_err(|fault| self.tally.note_ignored(fault)).is_ok()
    }
}

/// A full store is an answer the caller can act on; every other fault is ours.
fn refuse_full(fault: Fault) -> Error {
    match fault.kind() {
        FaultKind::Full => Refusal::StoreFull.into(),
        FaultKind::Unavailable | FaultKind::Corrupt | FaultKind::Internal => fault.into(),
    }
}
