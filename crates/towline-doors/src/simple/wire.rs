//! What the simple door reads and writes. The OpenAPI document is made of these types.

use serde::{Deserialize, Serialize};
use towline_core::engine::Claimed;
use utoipa::ToSchema;

use crate::desk::{PartNumber, Ticket, bare};
use crate::problem;
use crate::refused::Refused;

/// A file that is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::StartRequest)]
pub(super) struct StartRequest {
    #[schema(example = "video.mp4")]
    pub(super) file_name: String,
}

/// An upload that takes parts. Both go along with every later request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::StartReply)]
pub(super) struct StartReply {
    pub(super) upload_id: String,
    pub(super) key: String,
}

/// A part that is to be PUT.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::UrlRequest)]
pub(super) struct UrlRequest {
    pub(super) upload_id: String,
    #[schema(example = "video.mp4")]
    pub(super) key: String,
    pub(super) part_number: PartNumber,
}

/// Where a part goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::UrlReply)]
pub(super) struct UrlReply {
    pub(super) presigned_url: String,
}

/// An upload that was begun before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::UploadRequest)]
pub(super) struct UploadRequest {
    upload_id: String,
    #[schema(example = "video.mp4")]
    key: String,
}

impl UploadRequest {
    pub(super) fn ticket(&self) -> Result<Ticket, Refused> {
        Ticket::new(&self.upload_id, Some(&self.key))
    }
}

/// What has landed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = simple::PartsReply)]
pub(super) struct PartsReply {
    pub(super) parts: Vec<PartLine>,
}

/// One landed part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = simple::PartLine)]
pub(super) struct PartLine {
    #[serde(rename = "PartNumber")]
    pub(super) number: u32,
    #[serde(rename = "ETag")]
    pub(super) tag: String,
}

/// The parts that the file is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = simple::CompleteRequest)]
pub(super) struct CompleteRequest {
    pub(super) upload_id: String,
    #[schema(example = "video.mp4")]
    pub(super) key: String,
    pub(super) parts: Vec<NamedPart>,
}

/// A part by its number and its `ETag`, with any number of quotes.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = simple::NamedPart)]
pub(super) struct NamedPart {
    #[serde(rename = "PartNumber")]
    number: PartNumber,
    #[serde(rename = "ETag")]
    #[schema(example = "eb62f6b9306db575c2d596b1279627a4")]
    tag: String,
}

impl From<NamedPart> for Claimed {
    fn from(part: NamedPart) -> Self {
        Self { number: part.number.0, tag: bare(&part.tag) }
    }
}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = simple::Message)]
pub(super) struct Message {
    pub(super) message: &'static str,
}

/// A no as `FastAPI` says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = simple::Error)]
pub(super) struct SimpleError {
    detail: String,
}

impl SimpleError {
    pub(super) fn of(refused: &Refused) -> Self {
        Self { detail: problem::detail(refused) }
    }
}
