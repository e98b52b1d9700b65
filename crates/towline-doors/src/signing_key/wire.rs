//! What the `signing_key` door reads and writes. The OpenAPI document is made of these types.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use towline_core::digest::hex;
use towline_core::engine::{Cut, Order};
use towline_core::key::Key;
use towline_core::upload::About;
use utoipa::ToSchema;

use crate::desk::Desk;
use crate::json::{Query, whole_number};
use crate::naming;
use crate::problem;
use crate::refused::Refused;

/// A file as the page knows it.
#[derive(Debug)]
pub(super) struct KeyRequest {
    filename: String,
    size_bytes: u64,
    last_modified: String,
    pub(super) content_type: String,
    /// What is there of it is not wanted.
    pub(super) is_forced: bool,
}

impl KeyRequest {
    pub(super) fn parse(query: &Query) -> Result<Self, Refused> {
        let size_bytes = whole_number(query.needed("filesize")?)
            .ok_or_else(|| Refused::field("filesize", "must be a whole number, not negative"))?;
        let text = |name, default: &str| {
            query.text(name).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
        };
        Ok(Self {
            filename: query.needed("filename")?.to_owned(),
            size_bytes,
            last_modified: text("last_modified", "0"),
            content_type: text("content_type", "application/octet-stream"),
            is_forced: query.text("force").is_some_and(|text| !matches!(text, "" | "false" | "0")),
        })
    }

    /// The same file has the same key and fingerprint, whenever and from wherever it is asked for.
    pub(super) fn order(&self, desk: &Desk) -> Result<Order, Refused> {
        let file = format!("{}\n{}\n{}", self.size_bytes, self.last_modified, self.filename);
        let lead = hex(&Sha256::digest(format!("{}\n{file}", desk.who.owner))[..16]);
        let text = naming::in_place(&desk.who, &format!("{lead}/"), &self.filename, &desk.engine.limits());
        let key = Key::parse(&text).map_err(|problem| Refused::field("filename", problem.to_string()))?;
        let about = About {
            filename: naming::plain(&self.filename),
            content_type: Some(self.content_type.clone()),
            fingerprint: Some(format!("signing_key {}", hex(&Sha256::digest(file)))),
            ..About::default()
        };
        Ok(Order { key, cut: Cut::Free, total_bytes: Some(self.size_bytes), about })
    }
}

/// What to sign with, and what need not be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = signing_key::KeyReply)]
pub(super) struct KeyReply {
    /// The day of this moment is that of the key.
    pub(super) date: String,
    /// The derived signing key in hexadecimal.
    pub(super) signature: String,
    pub(super) access_key: String,
    pub(super) region: String,
    pub(super) bucket: String,
    /// The `key` again: it is always usable.
    pub(super) backup_key: String,
    pub(super) content_type: String,
    /// Under which the file must be sent.
    pub(super) key: String,
    /// The upload to go on with; without it, one is to be begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) upload_id: Option<String>,
    /// What has landed of it, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) chunks: Option<Vec<u32>>,
}

/// A no in plain words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = signing_key::Error)]
pub(super) struct SigningError {
    /// Stable; explained at `/api/errors`.
    error: &'static str,
    message: String,
}

impl SigningError {
    pub(super) fn of(refused: &Refused) -> Self {
        let (error, _, _) = problem::kind(refused);
        Self { error, message: problem::detail(refused) }
    }
}
