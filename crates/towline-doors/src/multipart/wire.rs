//! What the multipart door reads and writes. The OpenAPI document is made of these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towline_core::engine::Claimed;
use towline_core::upload::{Phase, Upload};
use towline_core::{Error, Refusal};
use utoipa::ToSchema;

use crate::desk::{PartNumber, bare};
use crate::moment::rfc3339;
use crate::problem;
use crate::refused::Refused;

/// How long the document's texts may be.
const FILENAME_CHARS_MAX: usize = 255;
const TEXT_CHARS_MAX: usize = 100;
const TAG_CHARS_MAX: usize = 512;
/// The size of parts that the document's pages cut.
const PART_BYTES: u64 = 5 * 1024 * 1024;

/// A file that is to be uploaded in parts.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = multipart::CreateRequest)]
pub(super) struct CreateRequest {
    #[schema(max_length = 255, example = "recording.webm")]
    pub(super) filename: String,
    #[schema(max_length = 100, example = "video/webm")]
    pub(super) content_type: Option<String>,
    /// In bytes. What is completed then has this size.
    pub(super) size: Option<u64>,
    #[schema(max_length = 100)]
    pub(super) user_id: Option<String>,
}

impl CreateRequest {
    pub(super) fn check(&self) -> Result<(), Refused> {
        check_length("filename", Some(&self.filename), FILENAME_CHARS_MAX)?;
        check_length("content_type", self.content_type.as_deref(), TEXT_CHARS_MAX)?;
        check_length("user_id", self.user_id.as_deref(), TEXT_CHARS_MAX)
    }
}

fn check_length(field: &'static str, text: Option<&str>, most: usize) -> Result<(), Refused> {
    match text.map(|text| text.chars().count()) {
        Some(count) if count > most => {
            Err(Refused::field(field, format!("has {count} characters, {most} are allowed")))
        }
        Some(_) | None => Ok(()),
    }
}

/// The words of the document for where an upload is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = multipart::Status)]
pub(super) enum Status {
    Uploading,
    Completed,
    Aborted,
}

impl Status {
    pub(super) fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Open | Phase::Disputed | Phase::Sealing => Self::Uploading,
            Phase::Sealed(_) => Self::Completed,
            Phase::Abandoned(_) => Self::Aborted,
        }
    }
}

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::Session)]
pub(super) struct Session {
    id: String,
    user_id: Option<String>,
    filename: String,
    content_type: Option<String>,
    size: Option<u64>,
    s3_key: String,
    /// How large parts are best made.
    part_size: u64,
    status: Status,
    created_at: String,
    parts: Vec<PartLine>,
    bucket: String,
    s3_upload_id: String,
    key: String,
    upload_id: String,
}

/// One landed part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::PartLine)]
struct PartLine {
    part_number: u32,
    etag: String,
}

impl Session {
    pub(super) fn new(upload: &Upload, bucket: &str, parts: Vec<(u32, String)>) -> Self {
        let about = &upload.about;
        let user = about.metadata.iter().find(|(name, _)| name == "user_id");
        let (id, key) = (upload.id.to_string(), upload.key.to_string());
        Self {
            user_id: user.map(|(_, user)| user.clone()),
            filename: about.filename.clone(),
            content_type: about.content_type.clone(),
            size: upload.plan.total_bytes(),
            s3_key: key.clone(),
            part_size: PART_BYTES,
            status: Status::of(&upload.phase),
            created_at: rfc3339(upload.created_at),
            parts: parts.into_iter().map(|(part_number, etag)| PartLine { part_number, etag }).collect(),
            bucket: bucket.to_owned(),
            s3_upload_id: id.clone(),
            upload_id: id.clone(),
            key,
            id,
        }
    }
}

/// A part that is to be PUT.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = multipart::PresignRequest)]
pub(super) struct PresignRequest {
    pub(super) part_number: PartNumber,
}

/// Where a part goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::PresignReply)]
pub(super) struct PresignReply {
    pub(super) presigned_url: String,
}

/// A part that was PUT, and the `ETag` of the answer with quotes or without.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = multipart::RegisterRequest)]
pub(super) struct RegisterRequest {
    pub(super) part_number: PartNumber,
    #[schema(max_length = 512, example = "eb62f6b9306db575c2d596b1279627a4")]
    etag: String,
}

impl RegisterRequest {
    pub(super) fn check(&self) -> Result<(), Refused> {
        check_length("etag", Some(&self.etag), TAG_CHARS_MAX)
    }
}

impl From<RegisterRequest> for Claimed {
    fn from(part: RegisterRequest) -> Self {
        Self { number: part.part_number.0, tag: bare(&part.etag) }
    }
}

/// The part was heard of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::RegisterReply)]
pub(super) struct RegisterReply {
    pub(super) status: &'static str,
}

/// The parts that the file is made of; all that have landed when they are left out.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = multipart::CompleteRequest)]
pub(super) struct CompleteRequest {
    parts: Option<Vec<RegisterRequest>>,
}

impl CompleteRequest {
    pub(super) fn listed(self) -> Option<Vec<Claimed>> {
        let parts = self.parts.filter(|parts| !parts.is_empty())?;
        Some(parts.into_iter().map(Into::into).collect())
    }
}

/// The file is in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::CompleteReply)]
pub(super) struct CompleteReply {
    pub(super) file_url: String,
    pub(super) status: Status,
    pub(super) key: String,
    pub(super) etag: String,
}

/// The upload is given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::AbortReply)]
pub(super) struct AbortReply {
    pub(super) status: Status,
}

/// A no as Django's REST framework says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::Error)]
pub(super) struct MultipartError {
    detail: String,
    /// What is wrong with a field, under its name.
    #[serde(flatten)]
    fields: BTreeMap<String, Vec<String>>,
}

impl MultipartError {
    pub(super) fn of(refused: &Refused) -> Self {
        let mut fields = BTreeMap::new();
        if let Refused::Engine(Error::Refused(Refusal::BadField { field, problem })) = refused {
            fields.insert(field.to_string(), vec![problem.clone()]);
        }
        Self { detail: problem::detail(refused), fields }
    }
}

/// A file that came in one form.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::VideoReply)]
pub(super) struct VideoReply {
    pub(super) video_url: String,
    pub(super) key: String,
}

/// The same through the server's own route.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = multipart::FileReply)]
pub(super) struct FileReply {
    pub(super) file_url: String,
    pub(super) key: String,
}
