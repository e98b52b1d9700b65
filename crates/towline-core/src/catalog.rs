//! Where facts live: the face that the engine sees of every catalog, with its contract. The contract's test is
//! `testing::catalog_contract`, run by every catalog and by the memory double.

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::key::Key;
use crate::receipt::Receipt;
use crate::store::Mark;
use crate::upload::{Ending, Epoch, Part, PhaseName, Progress, Tail, Upload, UploadId};

/// The answer to [`Catalog::insert`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    New,
    /// The owner used this idempotency key before: here is that upload, nothing was inserted.
    Existing(Box<Upload>),
}

/// The answer to [`Catalog::fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub upload: Upload,
    /// The landed part of the number asked for.
    pub part: Option<Part>,
}

/// How an upload is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handle {
    IdempotencyKey(String),
    /// Only uploads that still take parts are found by fingerprint, the newest first.
    Fingerprint(String),
}

/// Something that happened to an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A part became durable. Recorded while the upload takes parts; turns a disputed upload open when the
    /// content is new. A tail of the same slot is superseded.
    PartLanded(Part),
    /// A tail became durable; it replaces the one before.
    TailParked(Tail),
    /// The landing of this number and mark is not wanted or not there any more. Recorded while the upload takes parts;
    /// a repeat when another or none is recorded.
    PartLost(u32, Mark),
    TotalDeclared(u64),
    /// From now on no parts are taken.
    SealBegun,
    /// The whole was not what was declared: takes parts again.
    Disputed,
    /// The seal turned out to be impossible for now (something is in the way of the key): takes parts again.
    SealUndone,
    Sealed(Receipt),
    Abandoned(Ending),
}

/// What became of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    Done {
        progress: Progress,
        /// What the fact superseded: the part or tail of this number and mark is recorded nowhere any more.
        superseded: Vec<(u32, Mark)>,
    },
    /// The same content was recorded before; that record stands, the new mark is not remembered.
    Repeat { progress: Progress },
    /// Not recorded: the epoch is older than the upload's, its phase does not admit the fact, or it is gone.
    Stale,
}

/// Which uploads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Nothing means everybody's.
    pub owner: Option<String>,
    /// Empty means all.
    pub phases: Vec<PhaseName>,
    pub key: Option<Key>,
}

/// A page of uploads, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub uploads: Vec<Upload>,
    /// Give this to get the next page.
    pub next: Option<Cursor>,
}

/// Where a page ended: created at, id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: Timestamp,
    pub id: UploadId,
}

/// Where facts live. Implementations return values or [`Fault`]s, never a refusal.
///
/// The promises, each tested by the contract suite:
/// * What `insert`, `claim`, `record` and `forget` returned for survives power loss.
/// * `record` is one step: the fact, the progress and the expiry change together or not at all.
/// * A fact is admitted when the epoch is the upload's and the phase allows it: parts, tails, totals and `SealBegun`
///   while parts are taken; `Disputed`, `SealUndone` and `Sealed` while sealing; `Abandoned` while parts are taken.
///   Recording `SealBegun` while sealing, or a `Sealed` or `Abandoned` that is recorded already, is a `Repeat`.
/// * Nothing on the way of a part is proportional to the number of parts.
#[async_trait]
pub trait Catalog: Send + Sync + fmt::Debug {
    /// Remembers a new upload.
    async fn insert(&self, upload: &Upload) -> Result<Inserted, Fault>;

    /// The head of an upload, and one landed part of it when a number is given. One read.
    async fn fetch(&self, id: UploadId, number: Option<u32>) -> Result<Option<Fetched>, Fault>;

    /// The owner's upload by a handle.
    async fn find(&self, owner: &str, handle: &Handle) -> Result<Option<Upload>, Fault>;

    /// Raises the epoch and reads the head, in one step.
    async fn claim(&self, id: UploadId) -> Result<Option<Upload>, Fault>;

    /// Records a fact of an upload; `expires_at` becomes the upload's.
    async fn record(&self, entry: Entry) -> Result<Recorded, Fault>;

    /// Landed parts with numbers above `after`, ascending, at most `limit`.
    async fn parts(&self, id: UploadId, after: u32, limit: usize) -> Result<Vec<Part>, Fault>;

    /// Uploads by a filter, newest first, at most `limit`.
    async fn list(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Fault>;

    /// How many uploads a filter lets through.
    async fn count(&self, filter: &Filter) -> Result<u64, Fault>;

    /// Uploads that still take parts and expire at or before `now`, at most `limit`.
    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Upload>, Fault>;

    /// Ended uploads whose place has not been cleared yet, at most `limit`.
    async fn uncleared(&self, limit: usize) -> Result<Vec<Upload>, Fault>;

    /// The place of an ended upload holds nothing any more.
    async fn clear(&self, id: UploadId) -> Result<(), Fault>;

    /// Cleared uploads that were abandoned and whose `expires_at` is at or before `before`, at most `limit`.
    async fn forgettable(&self, before: Timestamp, limit: usize) -> Result<Vec<UploadId>, Fault>;

    /// Forgets an upload and its parts.
    async fn forget(&self, id: UploadId) -> Result<(), Fault>;

    /// Whether facts can be recorded now.
    async fn check(&self) -> Result<(), Fault>;
}

/// One fact on its way into a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: UploadId,
    pub epoch: Epoch,
    pub fact: Fact,
    pub expires_at: Timestamp,
}
