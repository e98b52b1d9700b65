//! What the session door reads and writes. The OpenAPI document is made of these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towline_core::Engine;
use towline_core::digest::{Algorithm, Digest, hex};
use towline_core::plan::Plan;
use towline_core::receipt::{Receipt, Voucher};
use towline_core::upload::{Part, Phase, PhaseName, Progress, Upload};
use utoipa::ToSchema;

use crate::DoorState;
use crate::moment::rfc3339;

/// A file that is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct InitRequest {
    /// The file's name; its key, too, when no `key` is given. A `/` makes folders; `..` is refused.
    #[schema(
        min_length = 1,
        max_length = 1024,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
        example = "video.mp4"
    )]
    pub(super) filename: String,
    /// In bytes; 0 is fine. Needed unless `size_unknown` is said.
    #[schema(example = 104_857_600)]
    pub(super) file_size: Option<u64>,
    /// Nobody knows the size yet, as of a stream: it is declared before the last part is sent.
    #[serde(default)]
    pub(super) size_unknown: bool,
    /// How large the parts are wished to be; the reply's `part_bytes` is what holds. The server's
    /// `part_size` when left out.
    #[schema(minimum = 1, example = 5_242_880)]
    pub(super) chunk_size: Option<u64>,
    /// The digest of the whole file in hexadecimal, checked before the file becomes visible.
    #[schema(pattern = "^([0-9a-fA-F]{2})+$")]
    pub(super) file_hash: Option<String>,
    /// The algorithm of `file_hash`: `SHA256` (when left out), `MD5`, `SHA1`, `SHA512`, `CRC32`, `CRC32C` or
    /// `CRC64NVME`.
    #[schema(example = "SHA256")]
    pub(super) hash_algorithm: Option<String>,
    /// Where the file goes, when that is not its name.
    #[schema(min_length = 1, max_length = 1024, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$")]
    pub(super) key: Option<String>,
    /// What downloads say of it.
    #[schema(max_length = 255, example = "video/mp4")]
    pub(super) content_type: Option<String>,
    /// Kept with the upload.
    pub(super) metadata: Option<BTreeMap<String, String>>,
    /// Finds your unfinished upload of the same file again, from another browser or machine too.
    #[schema(min_length = 1, max_length = 512)]
    pub(super) fingerprint: Option<String>,
    /// A repeated request with the same key is answered with the same upload. Also as header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 512)]
    pub(super) idempotency_key: Option<String>,
}

/// Where the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Through this server.
    Relayed,
    /// Straight to the store, by signed URLs.
    Direct,
}

impl Mode {
    pub(super) fn of(engine: &Engine) -> Self {
        if engine.is_direct() { Self::Direct } else { Self::Relayed }
    }
}

/// The words of the document for where an upload is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    /// The whole was not what was declared: send again what was wrong, or cancel.
    Failed,
    Cancelled,
    Expired,
}

impl Status {
    pub(super) const ALL: [Self; 5] =
        [Self::InProgress, Self::Completed, Self::Failed, Self::Cancelled, Self::Expired];

    pub(super) fn of(phase: &Phase) -> Self {
        match phase.name() {
            PhaseName::Open | PhaseName::Sealing => Self::InProgress,
            PhaseName::Disputed => Self::Failed,
            PhaseName::Sealed => Self::Completed,
            PhaseName::Cancelled => Self::Cancelled,
            PhaseName::Expired => Self::Expired,
        }
    }

    pub(super) fn phases(self) -> Vec<PhaseName> {
        match self {
            Self::InProgress => vec![PhaseName::Open, PhaseName::Sealing],
            Self::Completed => vec![PhaseName::Sealed],
            Self::Failed => vec![PhaseName::Disputed],
            Self::Cancelled => vec![PhaseName::Cancelled],
            Self::Expired => vec![PhaseName::Expired],
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub(super) fn is_end(self) -> bool {
        match self {
            Self::InProgress | Self::Failed => false,
            Self::Completed | Self::Cancelled | Self::Expired => true,
        }
    }
}

/// An upload that takes parts, or the finished one that an idempotency key stands for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InitReply {
    pub(super) session_id: String,
    /// Parts are numbered from 1 to this; null until the file's size is declared.
    pub(super) total_parts: Option<u32>,
    pub(super) key: String,
    /// Every part has this many bytes but the last, which has the rest.
    pub(super) part_bytes: Option<u64>,
    pub(super) status: Status,
    /// What need not be sent again.
    pub(super) completed_parts: Vec<u32>,
    /// When an unfinished upload is given up; every part moves it on.
    pub(super) expires_at: String,
    pub(super) mode: Mode,
    /// It was there before.
    pub(super) resumed: bool,
}

/// A part that survives power loss.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartReply {
    pub(super) part_number: u32,
    pub(super) received: bool,
    pub(super) size: u64,
    /// The MD5 in hexadecimal, where one was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) checksum: Option<String>,
    /// The CRC-64/NVME in hexadecimal.
    #[schema(example = "ae8b14860a799888")]
    pub(super) crc64nvme: Option<String>,
    pub(super) progress: ProgressReply,
}

/// How far the upload is.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct ProgressReply {
    pub(super) received_parts: u32,
    pub(super) received_bytes: u64,
    /// Up to here nothing is missing.
    pub(super) contiguous_bytes: u64,
    #[schema(minimum = 0.0, maximum = 100.0, example = 15.0)]
    pub(super) percent: f64,
}

/// An upload as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusReply {
    pub(super) session_id: String,
    pub(super) filename: String,
    pub(super) total_parts: Option<u32>,
    pub(super) completed_parts: Vec<u32>,
    pub(super) status: Status,
    #[schema(minimum = 0.0, maximum = 100.0)]
    pub(super) progress_percent: f64,
    pub(super) key: String,
    pub(super) file_size: Option<u64>,
    pub(super) part_bytes: Option<u64>,
    pub(super) received_bytes: u64,
    pub(super) mode: Mode,
    pub(super) created_at: String,
    /// While it is unfinished.
    pub(super) expires_at: Option<String>,
    /// Once completed.
    pub(super) receipt: Option<ReceiptReply>,
}

/// What the file has to be, as its sender read it. All of it may be left out, and so may the body.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(super) struct CompleteRequest {
    /// The CRC-64/NVME of the whole in hexadecimal. Compared before the file becomes visible, where that of each part is
    /// known.
    #[schema(pattern = "^[0-9a-fA-F]{16}$", example = "ae8b14860a799888")]
    pub(super) crc64nvme: Option<String>,
    /// In bytes.
    #[schema(example = 104_857_600)]
    pub(super) file_size: Option<u64>,
}

/// The file is in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CompleteReply {
    pub(super) session_id: String,
    pub(super) status: Status,
    /// Where the file is.
    pub(super) file_path: String,
    pub(super) message: &'static str,
    pub(super) receipt: ReceiptReply,
}

/// The proof of what was stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReceiptReply {
    pub(super) key: String,
    pub(super) size_bytes: u64,
    pub(super) part_count: u32,
    /// The CRC-64/NVME of the whole file in hexadecimal, where that of each part is known.
    pub(super) crc64nvme: Option<String>,
    /// Who looked at the bytes: `towline` or `store`.
    pub(super) vouched_by: &'static str,
    /// The declared digest, once it was found to be true.
    pub(super) verified: Option<Verified>,
    pub(super) location: String,
    pub(super) sealed_at: String,
}

/// A digest of the whole file that was checked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verified {
    #[schema(example = "sha256")]
    pub(super) algorithm: &'static str,
    /// In hexadecimal.
    pub(super) value: String,
}

/// The upload is given up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancelReply {
    pub(super) session_id: String,
    pub(super) status: Status,
}

/// A page of uploads, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionsReply {
    /// Over all pages.
    pub(super) total: u64,
    pub(super) sessions: Vec<SessionLine>,
    /// Give this as `after` for the next page.
    pub(super) next: Option<String>,
}

/// One upload of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionLine {
    pub(super) session_id: String,
    pub(super) filename: String,
    pub(super) status: Status,
    #[schema(example = "3/20")]
    pub(super) progress: String,
    pub(super) created_at: String,
    pub(super) key: String,
    pub(super) file_size: Option<u64>,
}

/// A page of landed parts, ascending.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartsReply {
    pub(super) parts: Vec<PartLine>,
    /// Give this as `after` for the next page.
    pub(super) next: Option<u32>,
}

/// One landed part.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartLine {
    pub(super) part_number: u32,
    pub(super) size: u64,
    /// Compare it with your own bytes before you trust a resumed upload.
    pub(super) crc64nvme: Option<String>,
    /// How S3's clients name it.
    pub(super) etag: String,
    pub(super) landed_at: String,
}

/// How large the file is after all.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SizeRequest {
    /// In bytes; no less than what has landed.
    #[schema(example = 104_857_600)]
    pub(super) file_size: u64,
}

/// The upload of a known size.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SizeReply {
    pub(super) session_id: String,
    pub(super) file_size: Option<u64>,
    /// Parts are numbered from 1 to this.
    pub(super) total_parts: Option<u32>,
    pub(super) progress: ProgressReply,
}

/// Parts that were sent to the store directly.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RegisterRequest {
    #[schema(max_items = 10_000)]
    pub(super) parts: Vec<SentPart>,
}

/// A part as the store answered its PUT.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SentPart {
    pub(super) part_number: u64,
    /// The `ETag`, with or without quotes; when it is there it must be that of the landed part.
    pub(super) etag: Option<String>,
}

/// What the store has of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RegisterReply {
    pub(super) session_id: String,
    pub(super) mode: Mode,
    /// Those that the store does not have so: send them again.
    pub(super) missing_parts: Vec<u64>,
    pub(super) progress: ProgressReply,
}

/// Which parts' URLs are wanted: a list, or everything between two numbers.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct UrlsRequest {
    #[schema(max_items = 10_000)]
    pub(super) parts: Option<Vec<u64>>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
}

/// Where each part goes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UrlsReply {
    pub(super) session_id: String,
    pub(super) mode: Mode,
    pub(super) urls: Vec<PartUrl>,
}

/// Where one part goes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartUrl {
    pub(super) part_number: u32,
    /// `PUT` the part here: signed for the store when direct; else relative to this server unless it knows its own name.
    pub(super) url: String,
    pub(super) size: u64,
}

/// News of an upload.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct EventData {
    pub(super) session_id: String,
    pub(super) status: Status,
    pub(super) total_parts: Option<u32>,
    pub(super) file_size: Option<u64>,
    pub(super) progress: ProgressReply,
}

impl ProgressReply {
    pub(super) fn new(progress: Progress, upload: &Upload) -> Self {
        Self {
            received_parts: progress.landed_count,
            received_bytes: progress.landed_bytes,
            contiguous_bytes: progress.prefix_bytes,
            percent: percent(progress.landed_count, upload.plan.total_parts()),
        }
    }
}

impl EventData {
    pub(super) fn new(upload: &Upload) -> Self {
        Self {
            session_id: upload.id.to_string(),
            status: Status::of(&upload.phase),
            total_parts: upload.plan.total_parts(),
            file_size: upload.plan.total_bytes(),
            progress: ProgressReply::new(upload.progress, upload),
        }
    }
}

/// Where the file is for this caller: clients that must not see the store are told of the download here.
pub(super) fn location(state: &DoorState, upload: &Upload, receipt: &Receipt) -> String {
    let is_elsewhere = receipt.location.contains("://");
    if !is_elsewhere || state.engine.is_direct() {
        return receipt.location.clone();
    }
    let base = state.settings.public_url.as_deref().unwrap_or("");
    format!("{base}/download/{}", towline_sigv4::encode_path(upload.key.as_str()))
}

impl ReceiptReply {
    pub(super) fn new(state: &DoorState, upload: &Upload, receipt: &Receipt) -> Self {
        Self {
            key: upload.key.to_string(),
            size_bytes: receipt.size_bytes,
            part_count: receipt.part_count,
            crc64nvme: crc64nvme(receipt.crc64),
            vouched_by: match receipt.voucher {
                Voucher::Towline => "towline",
                Voucher::Store => "store",
            },
            verified: receipt
                .verified
                .as_ref()
                .map(|digest| Verified { algorithm: digest.algorithm().name(), value: digest.to_hex() }),
            location: location(state, upload, receipt),
            sealed_at: rfc3339(receipt.sealed_at),
        }
    }
}

impl SessionLine {
    pub(super) fn new(upload: &Upload) -> Self {
        let landed = upload.progress.landed_count;
        let total = upload.plan.total_parts();
        Self {
            session_id: upload.id.to_string(),
            filename: upload.about.filename.clone(),
            status: Status::of(&upload.phase),
            progress: format!("{landed}/{}", total.map_or("?".to_owned(), |total| total.to_string())),
            created_at: rfc3339(upload.created_at),
            key: upload.key.to_string(),
            file_size: upload.plan.total_bytes(),
        }
    }
}

impl PartLine {
    pub(super) fn new(part: &Part, etag: String) -> Self {
        Self {
            part_number: part.number,
            size: part.size_bytes,
            crc64nvme: crc64nvme(part.crc64),
            etag,
            landed_at: rfc3339(part.landed_at),
        }
    }
}

pub(super) fn crc64nvme(crc64: Option<u64>) -> Option<String> {
    crc64.map(|crc64| hex(&crc64.to_be_bytes()))
}

/// The MD5 of a part where one was declared.
pub(super) fn md5(digests: &[Digest]) -> Option<String> {
    digests.iter().find(|digest| digest.algorithm() == Algorithm::Md5).map(Digest::to_hex)
}

pub(super) fn part_bytes(plan: &Plan) -> Option<u64> {
    match plan {
        Plan::Even { part_bytes, .. } => Some(*part_bytes),
        Plan::Free { .. } => None,
    }
}

/// By parts, as the document counts, with two decimals. Rounded down: 100 says that nothing is missing. A file
/// without bytes is whole from the start.
fn percent(landed: u32, total: Option<u32>) -> f64 {
    match total {
        None => 0.0,
        Some(0) => 100.0,
        Some(total) => (f64::from(landed) * 10_000.0 / f64::from(total)).floor() / 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_whole_is_at_100_percent() {
        let cases =
            [(0, 3, "0"), (1, 3, "33.33"), (2, 3, "66.66"), (57, 100, "57"), (99_999, 100_000, "99.99")];
        for (landed, total, expected) in cases {
            assert_eq!(percent(landed, Some(total)).to_string(), expected, "{landed} of {total}");
        }
        for total in [0, 1, 3, 100_000, u32::MAX] {
            assert_eq!(percent(total, Some(total)).to_string(), "100", "{total}");
        }
        assert_eq!(percent(u32::MAX - 1, Some(u32::MAX)).to_string(), "99.99");
        assert_eq!(percent(7, None).to_string(), "0");
    }
}
