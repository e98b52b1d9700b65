//! The proof that an upload was sealed.

use crate::clock::Timestamp;
use crate::digest::Digest;

/// Who looked at the bytes and says that they are those of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Voucher {
    /// The bytes passed through this server.
    Towline,
    /// The client sent them to the store, and the store checked them.
    Store,
}

/// What was sealed, where, and who vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub size_bytes: u64,
    pub part_count: u32,
    /// Of the whole, where the parts' own are known.
    pub crc64: Option<u64>,
    pub voucher: Voucher,
    /// The whole-file digest the client declared, once it was found to be true.
    pub verified: Option<Digest>,
    /// Where the object is, as the store says it: an absolute path or a URL.
    pub location: String,
    /// The store's word for this very content under the key; another content has another version.
    pub version: String,
    /// How S3 names this content (`ETag`).
    pub tag: Option<String>,
    pub sealed_at: Timestamp,
}
