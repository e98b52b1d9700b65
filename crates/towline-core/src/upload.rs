//! One file on its way. The head of an upload is constant in size: no request on the hot path reads or
//! rewrites the list of parts.

use std::fmt;

use crate::clock::Timestamp;
use crate::digest::{Algorithm, Digest};
use crate::key::Key;
use crate::plan::Plan;
use crate::receipt::{Receipt, Voucher};
use crate::store::{Mark, Place};

/// Names an upload; written as a UUID. Whoever knows it still has to be its owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(u128);

impl UploadId {
    pub fn from_u128(value: u128) -> Self {
        Self(value)
    }

    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// Takes exactly what `Display` writes, so that an upload has one name.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.split('-').collect();
        let value = u128::from_str_radix(&digits, 16).ok()?;
        let id = Self(value);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let groups = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        f.write_str(&groups.join("-"))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which taker of an upload is the current one; facts of an older epoch are stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// The head of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub key: Key,
    pub plan: Plan,
    pub place: Place,
    pub about: About,
    pub owner: String,
    pub phase: Phase,
    pub epoch: Epoch,
    pub progress: Progress,
    pub tail: Option<Tail>,
    pub created_at: Timestamp,
    /// When an unfinished upload is given up; moves on with every sign of life.
    pub expires_at: Timestamp,
}

impl Upload {
    /// Where an appending client goes on: all before it is acknowledged.
    pub fn offset(&self) -> u64 {
        self.progress.prefix_bytes + self.tail.as_ref().map_or(0, |tail| tail.size_bytes)
    }

    /// Whether any of its bytes are acknowledged.
    pub fn is_begun(&self) -> bool {
        self.progress.landed_count > 0 || self.tail.is_some()
    }

    /// Whether it is for this very file, as far as a client can say that beforehand. Who does not know the size may mean
    /// an upload whose size was declared since.
    pub fn is_same_file(&self, key: &Key, total_bytes: Option<u64>, about: &About) -> bool {
        let is_same_size = total_bytes.is_none() || self.plan.total_bytes() == total_bytes;
        self.key == *key && is_same_size && self.about.declared == about.declared
    }

    /// Whether every byte of the declared total has landed.
    pub fn is_whole(&self) -> bool {
        self.plan.total_bytes() == Some(self.progress.landed_bytes)
            && self.plan.total_parts().is_none_or(|parts| parts == self.progress.landed_count)
    }
}

/// What the client says of the file. Bounded where it is made: [`crate::engine::Order`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// As the client named it; never a path here.
    pub filename: String,
    pub content_type: Option<String>,
    pub metadata: Vec<(String, String)>,
    /// The digest of the whole file, checked before it is sealed.
    pub declared: Option<Digest>,
    /// Finds the owner's unfinished upload of the same file again.
    pub fingerprint: Option<String>,
    /// Makes a repeated create answer with the same upload.
    pub idempotency_key: Option<String>,
}

/// Where an upload is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Open,
    /// Every part is here, but the whole is not what was declared. Takes parts as an open one does: what was
    /// wrong can be sent again, or the upload abandoned.
    Disputed,
    /// No more parts are taken; the object is becoming visible.
    Sealing,
    Sealed(Receipt),
    Abandoned(Ending),
}

/// How an upload ended that did not become an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Cancelled,
    Expired,
}

/// A phase without what belongs to it: for filters and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhaseName {
    Open,
    Disputed,
    Sealing,
    Sealed,
    Cancelled,
    Expired,
}

impl Phase {
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Open => PhaseName::Open,
            Self::Disputed => PhaseName::Disputed,
            Self::Sealing => PhaseName::Sealing,
            Self::Sealed(_) => PhaseName::Sealed,
            Self::Abandoned(Ending::Cancelled) => PhaseName::Cancelled,
            Self::Abandoned(Ending::Expired) => PhaseName::Expired,
        }
    }

    pub fn takes_parts(&self) -> bool {
        match self {
            Self::Open | Self::Disputed => true,
            Self::Sealing | Self::Sealed(_) | Self::Abandoned(_) => false,
        }
    }
}

impl PhaseName {
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Disputed, Self::Sealing, Self::Sealed, Self::Cancelled, Self::Expired];

    /// The word in a catalog; doors have their own words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Disputed => "disputed",
            Self::Sealing => "sealing",
            Self::Sealed => "sealed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

impl fmt::Display for PhaseName {
    /// As a caller reads it in "Upload session is …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "in progress",
            Self::Disputed => "failed",
            Self::Sealing => "being completed",
            Self::Sealed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        })
    }
}

/// How far an upload is. An offset never counts over a hole: `prefix_bytes` ends at the first missing part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Parts 1..=`prefix_count` have all landed.
    pub prefix_count: u32,
    /// The bytes of those parts.
    pub prefix_bytes: u64,
    pub landed_bytes: u64,
    pub landed_count: u32,
}

/// A part that has landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: u32,
    pub size_bytes: u64,
    /// Always known of bytes that passed through here.
    pub crc64: Option<u64>,
    /// Digests a client declared for it and that were found true (an S3 `ETag` needs the MD5).
    pub digests: Vec<Digest>,
    pub mark: Mark,
    pub voucher: Voucher,
    pub landed_at: Timestamp,
}

impl Part {
    /// Whether two landings of one slot are known to hold the same content, so that either record does. What went past
    /// us replaced whatever was there: then the store's own mark is what counts.
    pub fn is_same_content(&self, other: &Self) -> bool {
        let is_same = match (self.voucher, other.voucher) {
            (Voucher::Towline, Voucher::Towline) => self.crc64 == other.crc64,
            (Voucher::Store, _) | (_, Voucher::Store) => self.mark == other.mark,
        };
        is_same && self.size_bytes == other.size_bytes
    }

    pub fn md5(&self) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == Algorithm::Md5)
    }

    /// Names the content as S3 would: by its MD5, else by what is known of it in the same form.
    pub fn tag(&self) -> String {
        match self.md5() {
            Some(md5) => md5.to_hex(),
            None => format!("{:016x}{:016x}", self.crc64.unwrap_or_default(), self.size_bytes),
        }
    }
}

/// Acknowledged bytes at the end of an appended upload that do not fill a part yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The slot that they begin.
    pub number: u32,
    pub size_bytes: u64,
    pub crc64: u64,
    pub mark: Mark,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_a_uuid_and_read_back_in_that_form_only() {
        let id = UploadId::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-4def-8123-456789abcdef");
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
        for other in [
            "",
            "0123456789ab4def8123456789abcdef",
            "01234567-89AB-4DEF-8123-456789ABCDEF",
            "+1234567-89ab-4def-8123-456789abcdef",
            "../../etc/passwd",
            "01234567-89ab-4def-8123-456789abcdef0",
        ] {
            assert_eq!(UploadId::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn phase_names_are_read_back() {
        for phase in PhaseName::ALL {
            assert_eq!(PhaseName::from_name(phase.name()), Some(phase));
        }
    }
}
