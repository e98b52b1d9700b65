//! What the presign door reads and writes. The OpenAPI document is made of these types.

use serde::{Deserialize, Serialize};
use towline_core::engine::Claimed;
use utoipa::ToSchema;

use crate::desk::{PartNumber, Ticket, bare};
use crate::json::Query;
use crate::problem;
use crate::refused::Refused;

/// A whole file that is to be PUT.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::UrlRequest)]
pub(super) struct UrlRequest {
    #[schema(min_length = 1, max_length = 1024, example = "large-files/myfile.zip")]
    pub(super) key: String,
    /// Must then be sent with the file.
    #[schema(example = "application/zip")]
    pub(super) content_type: Option<String>,
    /// In seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    pub(super) expires_in: Option<u64>,
}

/// A finished file that is to be read.
#[derive(Debug, Deserialize)]
pub(super) struct DownloadRequest {
    pub(super) key: String,
    pub(super) expires_in: Option<u64>,
}

/// A signed URL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::UrlReply)]
pub(super) struct UrlReply {
    pub(super) url: String,
    pub(super) key: String,
}

/// A file that is to be uploaded in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::InitRequest)]
pub(super) struct InitRequest {
    #[schema(min_length = 1, max_length = 1024, example = "large-files/myfile.zip")]
    pub(super) key: String,
    #[schema(example = "application/zip")]
    pub(super) content_type: Option<String>,
}

/// An upload that takes parts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::InitReply)]
pub(super) struct InitReply {
    pub(super) upload_id: String,
    pub(super) key: String,
    pub(super) bucket: String,
}

/// A part that is to be PUT.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::PartUrlRequest)]
pub(super) struct PartUrlRequest {
    #[schema(example = "large-files/myfile.zip")]
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) part_number: PartNumber,
    /// In seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    pub(super) expires_in: Option<u64>,
}

/// Where a part goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::PartUrlReply)]
pub(super) struct PartUrlReply {
    pub(super) url: String,
    pub(super) part_number: u64,
    pub(super) key: String,
    pub(super) upload_id: String,
}

/// The parts that the file is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::CompleteRequest)]
pub(super) struct CompleteRequest {
    #[schema(example = "large-files/myfile.zip")]
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) parts: Vec<NamedPart>,
}

/// A part by its number and the `ETag` that its PUT was answered with.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::NamedPart)]
pub(super) struct NamedPart {
    #[serde(rename = "PartNumber")]
    pub(super) number: PartNumber,
    #[serde(rename = "ETag")]
    #[schema(example = "\"eb62f6b9306db575c2d596b1279627a4\"")]
    pub(super) tag: String,
}

impl From<NamedPart> for Claimed {
    fn from(part: NamedPart) -> Self {
        Self { number: part.number.0, tag: bare(&part.tag) }
    }
}

/// The file is in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::CompleteReply)]
pub(super) struct CompleteReply {
    pub(super) location: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) etag: String,
}

/// An upload that was begun before.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = presign::UploadRequest)]
pub(super) struct UploadRequest {
    #[schema(example = "large-files/myfile.zip")]
    pub(super) key: String,
    pub(super) upload_id: String,
}

impl UploadRequest {
    pub(super) fn from_query(query: &Query) -> Result<Self, Refused> {
        let (key, upload_id) = (query.needed("key")?, query.needed("upload_id")?);
        Ok(Self { key: key.to_owned(), upload_id: upload_id.to_owned() })
    }

    pub(super) fn ticket(&self) -> Result<Ticket, Refused> {
        Ticket::new(&self.upload_id, Some(&self.key))
    }
}

/// The upload is given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::AbortReply)]
pub(super) struct AbortReply {
    pub(super) status: &'static str,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload_id: String,
}

/// What has landed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::PartsReply)]
pub(super) struct PartsReply {
    pub(super) parts: Vec<PartLine>,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) part_count: usize,
}

/// One landed part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = presign::PartLine)]
pub(super) struct PartLine {
    pub(super) part_number: u32,
    #[serde(rename = "ETag")]
    pub(super) tag: String,
    pub(super) size: u64,
    pub(super) last_modified: String,
}

/// A no in the document's words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = presign::Error)]
pub(super) struct PresignError {
    /// Stable; explained at `/api/errors`.
    error: &'static str,
    message: String,
}

impl PresignError {
    pub(super) fn new(error: &'static str, message: String) -> Self {
        Self { error, message }
    }

    pub(super) fn of(refused: &Refused) -> Self {
        let (error, _, _) = problem::kind(refused);
        Self::new(error, problem::detail(refused))
    }
}
