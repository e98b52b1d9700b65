//! What the session protocol reads and writes, from the client's side. `docs/protocols/session.md` has the words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towline_core::digest::{Algorithm, Digest};
use towline_core::receipt::Voucher;
use towline_s3::tag::md5_of;

use super::problem::printable;
use crate::remote::{self, Landed, Order, Proof, Ticket, Upload, Whole};
use crate::trouble::Trouble;

/// Parts of files whose size nobody knows yet: with the 10,000 parts of S3 enough for 156 GiB.
const STREAM_PART_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Serialize)]
pub(super) struct Init<'a> {
    filename: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    size_unknown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
}

impl<'a> Init<'a> {
    pub(super) fn new(order: &'a Order) -> Self {
        let is_stream = order.total_bytes.is_none();
        Self {
            filename: &order.filename,
            key: &order.key,
            file_size: order.total_bytes,
            size_unknown: is_stream,
            chunk_size: order.part_bytes.or(is_stream.then_some(STREAM_PART_BYTES)),
            content_type: order.content_type.as_deref(),
            metadata: &order.metadata,
            fingerprint: Some(order.fingerprint.as_str()).filter(|text| !text.is_empty()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Relayed,
    Direct,
}

impl Mode {
    /// Who got the bytes says what it knows of them.
    pub(super) fn proof(self) -> Proof {
        match self {
            Self::Relayed => Proof::Crc64,
            Self::Direct => Proof::Md5,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Begun {
    pub(super) session_id: String,
    pub(super) key: String,
    pub(super) part_bytes: Option<u64>,
    pub(super) mode: Mode,
    pub(super) resumed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Failed,
    Completed,
    Cancelled,
    Expired,
}

#[derive(Debug, Deserialize)]
pub(super) struct Looked {
    pub(super) session_id: String,
    pub(super) status: Status,
    pub(super) key: String,
    pub(super) file_size: Option<u64>,
    pub(super) part_bytes: Option<u64>,
    pub(super) mode: Mode,
    pub(super) receipt: Option<Receipt>,
}

impl Looked {
    /// An upload that takes parts, without those that have landed.
    pub(super) fn upload(self, is_resumed: bool) -> Result<Upload, Trouble> {
        let ticket = Ticket::new(self.session_id, self.key);
        upload(ticket, (self.part_bytes, self.file_size), (self.mode, is_resumed))
    }
}

pub(super) fn upload(
    ticket: Ticket,
    (part_bytes, total_bytes): (Option<u64>, Option<u64>),
    (mode, is_resumed): (Mode, bool),
) -> Result<Upload, Trouble> {
    let part_bytes = part_bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
        Trouble::refused(format!("the upload {} is not cut into equal parts", printable(&ticket.id)))
            .hint("go on with it where it began, or give it up")
    })?;
    Ok(Upload { ticket, part_bytes, total_bytes, proof: mode.proof(), landed: Vec::new(), is_resumed })
}

#[derive(Debug, Deserialize)]
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    pub(super) next: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    #[serde(rename = "part_number")]
    number: u32,
    size: u64,
    crc64nvme: Option<String>,
    etag: String,
}

impl Part {
    /// What is no digest of the bytes, though it looks like one, is told apart by who made it: only a store's is an MD5.
    pub(super) fn landed(self, proof: Proof) -> Landed {
        Landed {
            number: self.number,
            size_bytes: self.size,
            crc64: self.crc64nvme.as_deref().and_then(crc64),
            md5: (proof == Proof::Md5).then(|| md5(&self.etag)).flatten(),
            tag: self.etag,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    pub(super) crc64nvme: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Wanted {
    pub(super) from: u32,
    pub(super) to: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Urls {
    pub(super) mode: Mode,
    pub(super) urls: Vec<Url>,
}

#[derive(Deserialize)]
pub(super) struct Url {
    pub(super) part_number: u32,
    pub(super) url: String,
}

impl std::fmt::Debug for Url {
    /// Whoever has the URL may write there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Url").field("part_number", &self.part_number).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) file_size: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Completing {
    crc64nvme: String,
    file_size: u64,
}

impl From<Whole> for Completing {
    fn from(whole: Whole) -> Self {
        Self { crc64nvme: Digest::of_crc64(whole.crc64).to_hex(), file_size: whole.total_bytes }
    }
}

/// An answer of which nothing is read.
#[derive(Debug, Deserialize)]
pub(super) struct Heard {}

#[derive(Debug, Deserialize)]
pub(super) struct Completed {
    pub(super) receipt: Receipt,
}

#[derive(Debug, Deserialize)]
pub(super) struct Receipt {
    key: String,
    size_bytes: u64,
    part_count: u32,
    crc64nvme: Option<String>,
    vouched_by: VouchedBy,
    location: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VouchedBy {
    Towline,
    Store,
}

impl From<Receipt> for remote::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            crc64: receipt.crc64nvme.as_deref().and_then(crc64),
            key: receipt.key,
            size_bytes: receipt.size_bytes,
            part_count: receipt.part_count,
            voucher: match receipt.vouched_by {
                VouchedBy::Towline => Voucher::Towline,
                VouchedBy::Store => Voucher::Store,
            },
            location: receipt.location,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Sessions {
    pub(super) sessions: Vec<Session>,
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    #[serde(rename = "session_id")]
    id: String,
    status: String,
    progress: String,
    created_at: String,
    pub(super) key: String,
    file_size: Option<u64>,
}

impl From<Session> for remote::Line {
    fn from(session: Session) -> Self {
        let (landed, total) = session.progress.split_once('/').unwrap_or_default();
        Self {
            landed_parts: landed.parse().ok(),
            total_parts: total.parse().ok(),
            ticket: Ticket::new(session.id, session.key),
            status: session.status,
            total_bytes: session.file_size,
            begun_at: session.created_at,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
}

pub(super) fn crc64(hex: &str) -> Option<u64> {
    let digest = Digest::from_hex(Algorithm::Crc64Nvme, hex)?;
    digest.bytes().try_into().ok().map(u64::from_be_bytes)
}

/// Of an `ETag` that has the form of one.
pub(super) fn md5(tag: &str) -> Option<[u8; 16]> {
    md5_of(tag.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stores_own_tags_are_taken_for_digests() {
        let part = || Part {
            number: 1,
            size: 9,
            crc64nvme: Some("ae8b14860a799888".to_owned()),
            etag: "25f9e794323b453885f5181f1b624d0b".to_owned(),
        };
        let relayed = part().landed(Proof::Crc64);
        assert_eq!((relayed.crc64, relayed.md5), (Some(0xae8b_1486_0a79_9888), None));
        assert_eq!(part().landed(Proof::Md5).md5.unwrap()[..2], [0x25, 0xf9]);
    }

    #[test]
    fn tags_that_are_no_md5_prove_nothing() {
        assert!(md5("\"25f9e794323b453885f5181f1b624d0b\"").is_some());
        for tag in ["", "\"\"", "25f9e794323b453885f5181f1b624d0b-2", "zz"] {
            assert_eq!(md5(tag), None, "{tag}");
        }
        assert_eq!(crc64("ae8b"), None);
    }

    #[test]
    fn a_stream_is_ordered_without_a_size_and_in_large_parts() {
        let mut order = Order {
            key: "a/b".into(),
            filename: "b".into(),
            total_bytes: None,
            part_bytes: None,
            content_type: None,
            metadata: BTreeMap::new(),
            fingerprint: String::new(),
        };
        let text = serde_json::to_string(&Init::new(&order)).unwrap();
        assert_eq!(text, r#"{"filename":"b","key":"a/b","size_unknown":true,"chunk_size":16777216}"#);
        order.total_bytes = Some(9);
        order.fingerprint = "f".into();
        let text = serde_json::to_string(&Init::new(&order)).unwrap();
        assert_eq!(text, r#"{"filename":"b","key":"a/b","file_size":9,"fingerprint":"f"}"#);
    }

    #[test]
    fn a_line_of_a_list_says_how_far_it_is() {
        let session = |progress: &str| Session {
            id: "1".into(),
            status: "in_progress".into(),
            progress: progress.into(),
            created_at: "2026-11-21T00:00:00.000Z".into(),
            key: "a".into(),
            file_size: None,
        };
        for (progress, expected) in
            [("3/20", (Some(3), Some(20))), ("3/?", (Some(3), None)), ("", (None, None))]
        {
            let line = remote::Line::from(session(progress));
            assert_eq!((line.landed_parts, line.total_parts), expected, "{progress}");
        }
    }
}
