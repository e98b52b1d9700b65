//! Where bytes live: the face that the engine sees of every store, with its contract. The contract's test is
//! `testing::store_contract`, run by every store and by the memory double.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::clock::Timestamp;
use crate::error::{Fault, Refusal};
use crate::key::Key;
use crate::lease::Lease;
use crate::plan::Slot;
use crate::upload::{About, Part, Tail, Upload, UploadId};

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
    /// The store does not have these parts any more as their marks say. Nothing became visible.
    Changed(Vec<u32>),
}

/// An object as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedObject {
    /// An absolute path or a URL.
    pub location: String,
    /// Differs between different contents under the same key.
    pub version: String,
    /// How S3 names this content, where the store does.
    pub tag: Option<String>,
}

/// An object as it stands in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: Key,
    pub size_bytes: u64,
    pub version: String,
    pub modified_at: Timestamp,
}

/// Whose a place is, as far as the store can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Upload(UploadId),
    /// An upload of this key.
    Key(Key),
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
/// * Bytes of a slot are never changed by a writer that is dropped, nor by one with [`Spot::Aside`] that has not
///   landed. Where a landing replaces the one before (a part on S3), the older mark is `Changed` at the seal.
/// * `seal` makes the object visible whole or not at all; again gives the same answer and changes nothing, not even
///   when the object was replaced meanwhile. An object that is replaced is replaced in one step. Until the engine
///   says `discard`, what a crashed `seal` needs to go on stays.
/// * `discard` leaves nothing of the place; again, or for a place that never was, is fine. After a `seal` it
///   leaves the object alone.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    fn limits(&self) -> Limits;

    /// Makes room for an upload, or says what is in the way of its key.
    async fn open(&self, id: UploadId, key: &Key, about: &About) -> Result<Opened, Fault>;

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

    /// Whether a `seal` of these parts has made the object visible, even if nobody was told.
    async fn is_sealed(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<bool, Fault>;

    /// Whether parts can be replaced after `read_parts` has read them all.
    fn can_repair(&self, _place: &Place) -> bool {
        true
    }

    /// How a client names a landed part when it finishes: `ETag` on S3.
    fn part_tag(&self, part: &Part) -> String {
        part.tag()
    }

    /// Removes what is left of a place.
    async fn discard(&self, place: &Place) -> Result<(), Fault>;

    /// Up to `limit` places that were last changed at or before `before`, beginning after `after`, in the
    /// store's own order.
    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault>;

    /// Whether something is visible under the key.
    async fn has(&self, key: &Key) -> Result<bool, Fault>;

    /// Opens the object under a key.
    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault>;

    /// Objects whose key starts with `prefix` and comes after `after`, ascending by the bytes of their keys, at most
    /// `limit`. Less than that means that there are no more.
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault>;

    /// Removes the object under a key. Again, or where nothing is, is fine.
    async fn remove(&self, key: &Key) -> Result<(), Fault>;

    /// Whether the store can be written to now.
    async fn check(&self) -> Result<(), Fault>;

    /// How clients can carry bytes to the store themselves, where they can.
    fn direct(&self) -> Option<&dyn Direct> {
        None
    }
}

/// A store that clients reach by signed URLs.
#[async_trait]
pub trait Direct: Send + Sync {
    /// Signs with the credentials of this moment.
    async fn signer(&self) -> Result<Arc<dyn Signer>, Fault>;

    /// The parts that have landed with numbers above `after`, ascending, a page of the store's own size; empty at the
    /// end. Nothing when the store does not know the place (any more). Vouched for by the store.
    async fn parts(&self, place: &Place, after: u32) -> Result<Option<Vec<Part>>, Fault>;
}

/// How long a signed URL holds, and from when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Timestamp,
    pub lasts: Duration,
}

/// A form that a page posts with a file in its last field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub url: String,
    pub fields: Vec<(String, String)>,
}

/// Makes URLs that carry bytes for whoever has them. Signing is computing: no IO, 100,000 parts a second.
pub trait Signer: Send + Sync {
    /// The URL of each part, by number. What all have in common is computed once.
    fn part_urls(&self, upload: &Upload, validity: Validity) -> Box<dyn Fn(u32) -> String + Send + Sync>;

    /// Where a whole file is PUT; the content type, when given, must be sent with it.
    fn put_url(&self, key: &Key, content_type: Option<&str>, validity: Validity) -> String;

    /// Where an object is read; it comes with this `Content-Disposition`.
    fn get_url(&self, key: &Key, disposition: Option<&str>, validity: Validity) -> String;

    /// What a page posts a whole file of up to `size_bytes_max` with.
    fn form(&self, key: &Key, about: &About, size_bytes_max: u64, validity: Validity) -> Form;

    /// The object's address, without a signature.
    fn location(&self, key: &Key) -> String;

    fn bucket(&self) -> &str;

    fn region(&self) -> &str;
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
