//! How an upload is doing.

use axum::extract::State;
use axum::response::Response;
use towline_core::upload::Phase;

use super::completed_parts;
use super::wire::{Mode, ProgressReply, ReceiptReply, Status, StatusReply, part_bytes};
use crate::DoorState;
use crate::auth::Caller;
use crate::json::{UploadPath, reply};
use crate::moment::rfc3339;
use crate::refused::Refused;

/// How an upload is doing, and what need not be sent again.
#[utoipa::path(
    get, path = "/upload/{session_id}/status", tag = "session",
    params(("session_id" = String, Path, description = "From init")),
    responses((status = 200, description = "The upload as it is now", body = StatusReply)),
)]
pub(super) async fn status(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
) -> Result<Response, Refused> {
    let upload = state.engine.status(&who, id).await?;
    let completed_parts = completed_parts(&state.engine, &who, &upload).await?;
    let receipt = match &upload.phase {
        Phase::Sealed(receipt) => Some(ReceiptReply::new(&state, &upload, receipt)),
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => None,
    };
    let status = Status::of(&upload.phase);
    Ok(reply(&StatusReply {
        session_id: upload.id.to_string(),
        total_parts: upload.plan.total_parts(),
        completed_parts,
        status,
        progress_percent: ProgressReply::new(upload.progress, &upload).percent,
        key: upload.key.to_string(),
        file_size: upload.plan.total_bytes(),
        part_bytes: part_bytes(&upload.plan),
        received_bytes: upload.progress.landed_bytes,
        mode: Mode::of(&state.engine),
        created_at: rfc3339(upload.created_at),
        expires_at: (!status.is_end()).then(|| rfc3339(upload.expires_at)),
        receipt,
        filename: upload.about.filename,
    }))
}
