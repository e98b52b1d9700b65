//! Where bytes live: the face that the engine sees of every store, with its contract. The contract's test is
//! `testing::store_contract`, run by every store and by the memory double.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::clock::Timestamp;
use crate::error::{Fault, Refusal};
use crate::key::Key;
use crate::lease::Lease;
use crate::plan::Slot;
use crate::upload::{Part, Tail, UploadId};

/// What a store can hold, as data. Plans are negotiated within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub part_bytes_min: u64,
    pub part_bytes_max: u64,
    pub parts_max: u32,
    pub total_bytes_max: u64,
    /// The longest segment of a key in bytes, where there is such a limit.
    pub segment_bytes_max: Option<usize>,
}

impl Limits {
    pub fn check_total(&self, total_bytes: u64) -> Result<(), Refusal> {
        if total_bytes > self.total_bytes_max {
            return Err(Refusal::TooLarge { got_bytes: total_bytes, allowed_bytes: self.total_bytes_max });
        }
        Ok(())
    }
}

/// The store's own name for the room where an upload's parts gather. Opaque to everybody else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Place(pub String);

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.0)
    }
}

/// What the store wants to be told again about a landed part or a tail (where it lies; its `ETag`). Opaque to
/// everybody else, short (at most 128 bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub String);

/// Where a part may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    /// The slot's own place holds nothing that was acknowledged: it may be overwritten.
    Own,
    /// The slot's own place may hold acknowledged bytes. They must stay as they are until the new ones are
    /// recorded: write elsewhere.
    Aside,
}

/// The answer to [`Store::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    At(Place),
    Blocked(Obstacle),
}

/// What stands in the way of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The part of the key that is in the way.
    pub name: String,
    /// It is a folder where a file is wanted; else a file where a folder is wanted.
    pub is_folder: bool,
}

/// The answer to [`Store::seal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    Sealed(SealedObject),
    Blocked(Obstacle),
}

/// An object as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedObject {
    /// An absolute path or a URL.
    pub location: String,
    /// Differs between different contents under the same key.
    pub version: String,
}

/// An object that can be read.
pub struct Object {
    pub size_bytes: u64,
    pub version: String,
    pub modified_at: Timestamp,
    pub reader: Box<dyn ObjectReader>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("size_bytes", &self.size_bytes)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Bytes in order. A stream that ends early without an error is a bug of the store.
pub type ByteStream = BoxStream<'static, Result<Bytes, Fault>>;

/// Reads one object as it was when it was opened: replacing the object does not change what comes out.
pub trait ObjectReader: Send + Sync {
    /// `range` lies within the object.
    fn read(&self, range: Range<u64>) -> ByteStream;
}

/// Where bytes live. Implementations return values or [`Fault`]s, never a refusal.
///
/// The promises, each tested by the contract suite:
/// * What [`PartWriter::land`] or [`PartWriter::park`] returned for survives power loss, with its folder.
/// * Bytes of a slot are never changed by a writer with [`Spot::Aside`], nor by one that is dropped.
/// * `seal` makes the object visible whole or not at all; again gives the same answer and changes nothing, not even
///   when the object was replaced meanwhile. An object that is replaced is replaced in one step. Until the engine
///   says `discard`, what a crashed `seal` needs to go on stays.
/// * `discard` leaves nothing of the place; again, or for a place that never was, is fine. After a `seal` it
///   leaves the object alone.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    fn limits(&self) -> Limits;

    /// Makes room for an upload, or says what is in the way of its key.
    async fn open(&self, id: UploadId, key: &Key) -> Result<Opened, Fault>;

    /// Begins a part. The writer keeps the lease for as long as any write of its can be under way.
    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault>;

    /// Begins a part with a parked tail; what is written comes after the tail's bytes. The tail stays readable
    /// until its successor is recorded.
    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault>;

    /// Forgets one landing or tail that is no longer recorded. Again, or of one that never was, is fine.
    async fn drop_part(&self, place: &Place, number: u32, mark: &Mark) -> Result<(), Fault>;

    /// The landed parts' bytes in order. `parts` are all parts, ascending. Nothing when a `seal` has made them an
    /// object already, even if nobody was told: then there is nothing left to verify.
    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault>;

    /// Makes the object visible under its key. `parts` are all parts, ascending.
    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault>;

    /// Removes what is left of a place.
    async fn discard(&self, place: &Place) -> Result<(), Fault>;

    /// Up to `limit` places that were last changed at or before `before`, beginning after `after`, in the
    /// store's own order.
    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, UploadId)>, Fault>;

    /// Whether something is visible under the key.
    async fn has(&self, key: &Key) -> Result<bool, Fault>;

    /// Opens the object under a key.
    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault>;

    /// Whether the store can be written to now.
    async fn check(&self) -> Result<(), Fault>;
}

/// Where a part goes and the right to write there.
#[derive(Debug)]
pub struct PartPlace<'a> {
    pub place: &'a Place,
    pub slot: Slot,
    /// How many bytes will come, where the client said so: free plans are placed by it.
    pub size_bytes: Option<u64>,
    /// Something of this upload was acknowledged before. A store that does not have the place any more says so by a
    /// fault: what was lost must not be glued over.
    pub is_begun: bool,
    pub lease: Lease,
}

/// Takes the bytes of one part. Dropping it is safe at any time: nothing remembers the bytes.
#[async_trait]
pub trait PartWriter: Send {
    /// Adds a frame. The engine never writes past the slot's room.
    async fn write(&mut self, frame: Bytes) -> Result<(), Fault>;

    /// Makes a whole part durable.
    async fn land(self: Box<Self>) -> Result<Mark, Fault>;

    /// Makes a tail durable.
    async fn park(self: Box<Self>) -> Result<Mark, Fault>;
}
