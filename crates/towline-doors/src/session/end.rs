//! Ending an upload: completed or cancelled.

use axum::extract::State;
use axum::response::Response;
use towline_core::Refusal;
use towline_core::upload::Phase;

use super::wire::{CancelReply, CompleteReply, ReceiptReply, Status, location};
use crate::DoorState;
use crate::auth::Caller;
use crate::json::{UploadPath, reply};
use crate::refused::Refused;

/// Makes the file visible, whole. Asked again, the answer is the same.
#[utoipa::path(
    post, path = "/upload/{session_id}/complete", tag = "session",
    params(("session_id" = String, Path, description = "From init")),
    responses((status = 200, description = "The file is in", body = CompleteReply)),
)]
pub(super) async fn complete(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
) -> Result<Response, Refused> {
    let upload = state.engine.finish(&who, id).await?;
    let Phase::Sealed(receipt) = &upload.phase else {
        return Err(Refusal::NotOpen(upload.phase.name()).into());
    };
    Ok(reply(&CompleteReply {
        session_id: id.to_string(),
        status: Status::Completed,
        file_path: location(&state, &upload, receipt),
        message: "Upload completed successfully",
        receipt: ReceiptReply::new(&state, &upload, receipt),
    }))
}

/// Gives an upload up. Asked again, the answer is the same.
#[utoipa::path(
    delete, path = "/upload/{session_id}", tag = "session",
    params(("session_id" = String, Path, description = "From init")),
    responses((status = 200, description = "Nothing of it is kept", body = CancelReply)),
)]
pub(super) async fn cancel(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
) -> Result<Response, Refused> {
    let upload = state.engine.abandon(&who, id).await?;
    Ok(reply(&CancelReply { session_id: id.to_string(), status: Status::of(&upload.phase) }))
}
