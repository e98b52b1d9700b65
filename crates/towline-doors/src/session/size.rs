//! The size of a file that began without one.

use axum::extract::State;
use axum::response::Response;

use super::wire::{ProgressReply, SizeReply, SizeRequest};
use crate::DoorState;
use crate::auth::Caller;
use crate::json::{Json, UploadPath, reply};
use crate::refused::Refused;

/// Says how large the file is that began without a size. Until then every part is a full one, from then on the last one
/// has the rest. The same size again is fine.
#[utoipa::path(
    post, path = "/upload/{session_id}/size", tag = "session", request_body = SizeRequest,
    params(("session_id" = String, Path, description = "From init")),
    responses(
        (status = 200, description = "The size holds", body = SizeReply),
        (status = 409, description = "It was declared before and otherwise, or more than that has landed"),
    ),
)]
pub(super) async fn declare(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
    Json(request): Json<SizeRequest>,
) -> Result<Response, Refused> {
    let upload = Box::pin(state.engine.declare_total(&who, id, request.file_size)).await?;
    Ok(reply(&SizeReply {
        session_id: id.to_string(),
        file_size: upload.plan.total_bytes(),
        total_parts: upload.plan.total_parts(),
        progress: ProgressReply::new(upload.progress, &upload),
    }))
}
