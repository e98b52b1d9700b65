//! Where files go and come from. Two speak this contract: a Towline server and a bucket of S3.

mod passing;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use towline_core::digest::Digest;
use towline_core::receipt::Voucher;

use crate::trouble::Trouble;

pub(crate) use passing::Passing;

/// A file that is to be uploaded.
#[derive(Clone, Debug)]
pub struct Order {
    pub key: String,
    /// What the file is called here.
    pub filename: String,
    /// Nothing while nobody knows, as of standard input.
    pub total_bytes: Option<u64>,
    /// How large parts are wished to be; the upload says what holds.
    pub part_bytes: Option<u64>,
    pub content_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// The same for the same file, from any machine.
    pub fingerprint: String,
}

/// What leads back to an upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    pub id: String,
    pub key: String,
    /// How it is cut, where that was known: a bucket does not say before enough of it has landed.
    #[serde(default)]
    pub part_bytes: Option<u64>,
}

impl Ticket {
    pub fn new(id: impl Into<String>, key: impl Into<String>) -> Self {
        Self { id: id.into(), key: key.into(), part_bytes: None }
    }
}

/// By which digest the other end shows that it has the bytes of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Crc64,
    Md5,
}

/// A file on its way.
#[derive(Clone, Debug)]
pub struct Upload {
    pub ticket: Ticket,
    /// Every part has so many bytes but the last, which has the rest.
    pub part_bytes: u64,
    pub total_bytes: Option<u64>,
    pub proof: Proof,
    /// What the other end has already, by number. Not to be trusted before its digests are compared.
    pub landed: Vec<Landed>,
    /// It was there before.
    pub is_resumed: bool,
}

/// A part's place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From 1.
    pub number: u32,
    pub offset_bytes: u64,
    pub size_bytes: u64,
}

impl Upload {
    /// The slots of a file of this size, in order. There is none when it has no bytes.
    pub fn slots(&self, total_bytes: u64) -> impl Iterator<Item = Slot> + use<> {
        slots(total_bytes, self.part_bytes)
    }
}

/// The slots of a file that is cut evenly, in order. There is none when it has no bytes.
pub(crate) fn slots(total_bytes: u64, part_bytes: u64) -> impl Iterator<Item = Slot> {
    (1_u32..).map_while(move |number| {
        let offset_bytes = u64::from(number - 1).checked_mul(part_bytes)?;
        let size_bytes = part_bytes.min(total_bytes.checked_sub(offset_bytes)?);
        (size_bytes > 0).then_some(Slot { number, offset_bytes, size_bytes })
    })
}

/// A part that the other end has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    pub number: u32,
    pub size_bytes: u64,
    pub crc64: Option<u64>,
    pub md5: Option<[u8; 16]>,
    /// How the other end calls this very content.
    pub tag: String,
}

/// The bytes of a part as they are read: exactly so many, or an error.
pub struct Frames {
    pub size_bytes: u64,
    pub stream: BoxStream<'static, io::Result<Bytes>>,
    /// Who sends them tells it what has gone to the line. That may be later than they are read.
    pub sent: Sent,
}

impl Frames {
    pub fn new(size_bytes: u64, stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self { size_bytes, stream: stream.boxed(), sent: Sent::default() }
    }
}

/// Hears how many bytes go to the line.
#[derive(Clone, Default)]
pub struct Sent(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sent").field(&self.0.is_some()).finish()
    }
}

impl Sent {
    pub fn new(hear: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub fn tell(&self, bytes: u64) {
        if let Some(hear) = &self.0 {
            hear(bytes);
        }
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// What all parts make together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub total_bytes: u64,
    pub crc64: u64,
}

/// The proof that a file is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub key: String,
    pub size_bytes: u64,
    pub part_count: u32,
    /// As the other end knows it; compared with what was read here.
    pub crc64: Option<u64>,
    pub voucher: Voucher,
    pub location: String,
}

/// An upload as it is found by its ticket.
#[derive(Clone, Debug)]
pub enum State {
    Open(Box<Upload>),
    Sealed(Receipt),
    /// It was given up, has expired, or never was.
    Gone,
}

/// An upload in a list of those that are not finished.
#[derive(Clone, Debug)]
pub struct Line {
    pub ticket: Ticket,
    /// As the other end calls its state.
    pub status: String,
    pub total_bytes: Option<u64>,
    pub landed_parts: Option<u32>,
    pub total_parts: Option<u32>,
    /// RFC 3339.
    pub begun_at: String,
}

/// A file that is in.
#[derive(Clone, Debug)]
pub struct Stored {
    pub key: String,
    pub size_bytes: u64,
    /// Its `ETag`, as it was sent: another content has another one.
    pub tag: Option<String>,
    pub crc64: Option<u64>,
    /// Any other digest of the whole that the other end tells.
    pub digest: Option<Digest>,
    pub content_type: Option<String>,
}

/// Where finished files are read.
#[async_trait]
pub trait Shelf: Send + Sync + fmt::Debug {
    /// What is known of a file without reading it; nothing when it is not there.
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble>;

    /// Whether files are given in ranges, as far as [`Shelf::stored`] showed; else only whole, in one go.
    fn has_ranges(&self) -> bool {
        true
    }

    /// The bytes of a range of this very content: where it was replaced meanwhile, [`Trouble::Gone`]. The stream may break
    /// off; then the rest can be asked for again.
    async fn read(
        &self,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble>;
}

/// Where files are uploaded. Requests that are cheap to repeat are repeated inside, bounded in tries and in time;
/// [`Remote::send`] is not: whoever drives the upload decides when a part is sent again.
#[async_trait]
pub trait Remote: Shelf {
    /// How it is called in messages: without secrets.
    fn name(&self) -> String;

    /// The largest file that [`Remote::send_whole`] takes; nothing where it takes none.
    fn whole_bytes_max(&self) -> Option<u64>;

    /// Uploads that may be of this file and were not found by a ticket: their content has to be compared.
    async fn candidates(&self, order: &Order) -> Result<Vec<Upload>, Trouble>;

    /// Begins an upload; where the other end knows the fingerprint, finds the unfinished one instead.
    async fn begin(&self, order: &Order) -> Result<Upload, Trouble>;

    /// An upload as it is now.
    async fn look(&self, ticket: &Ticket) -> Result<State, Trouble>;

    /// Sends one part, once. It has landed, whole and as it was read, when there is an answer; that names the CRC-64/NVME of
    /// what was read here, whatever the other end knows.
    async fn send(&self, upload: &Upload, slot: Slot, frames: Frames) -> Result<Landed, Trouble>;

    /// Sends a small file in one request, once.
    async fn send_whole(&self, order: &Order, frames: Frames) -> Result<Receipt, Trouble>;

    /// Says how large the file is, of an upload that began without knowing; before its last part, which may be short.
    async fn declare(&self, upload: &Upload, total_bytes: u64) -> Result<(), Trouble>;

    /// Makes the file visible. Again, the answer is the same. [`Trouble::Gone`] where parts are missing or are others: who
    /// looks again sees which.
    async fn finish(&self, upload: &Upload, parts: &[Landed], whole: Whole) -> Result<Receipt, Trouble>;

    /// Gives an upload up. Again, or of one that is gone, is fine.
    async fn abort(&self, ticket: &Ticket) -> Result<(), Trouble>;

    /// Unfinished uploads whose keys begin with `prefix`, newest first, at most so many.
    async fn unfinished(&self, prefix: &str, limit: usize) -> Result<Vec<Line>, Trouble>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(part_bytes: u64) -> Upload {
        Upload {
            ticket: Ticket::new("1", "a"),
            part_bytes,
            total_bytes: None,
            proof: Proof::Crc64,
            landed: Vec::new(),
            is_resumed: false,
        }
    }

    #[test]
    fn slots_cover_a_file_without_gap_or_overlap() {
        for (part_bytes, total_bytes, count) in [(5, 0, 0), (5, 1, 1), (5, 5, 1), (5, 6, 2), (1, 3, 3)] {
            let slots: Vec<Slot> = upload(part_bytes).slots(total_bytes).collect();
            assert_eq!(slots.len(), count, "{part_bytes} {total_bytes}");
            let mut end = 0;
            for (slot, number) in slots.iter().zip(1..) {
                assert_eq!((slot.number, slot.offset_bytes), (number, end));
                end += slot.size_bytes;
            }
            assert_eq!(end, total_bytes);
        }
    }
}
