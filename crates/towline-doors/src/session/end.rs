//! Ending an upload: completed or cancelled.

use axum::extract::State;
use axum::response::Response;
use towline_core::Refusal;
use towline_core::digest::{Algorithm, Digest};
use towline_core::engine::Expected;
use towline_core::upload::Phase;

use super::wire::{CancelReply, CompleteReply, CompleteRequest, ReceiptReply, Status, location};
use crate::DoorState;
use crate::auth::Caller;
use crate::json::{MaybeJson, UploadPath, reply};
use crate::refused::Refused;

/// Makes the file visible, whole. Asked again, the answer is the same. What the request says of the file must be true of
/// it, else nothing becomes visible.
#[utoipa::path(
    post, path = "/upload/{session_id}/complete", tag = "session", request_body = Option<CompleteRequest>,
    params(("session_id" = String, Path, description = "From init")),
    responses(
        (status = 200, description = "The file is in", body = CompleteReply),
        (status = 400, description = "Parts are missing, or the whole is not what it has to be: send what differs"),
    ),
)]
pub(super) async fn complete(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
    MaybeJson(request): MaybeJson<CompleteRequest>,
) -> Result<Response, Refused> {
    let expected = expected(&request.unwrap_or_default())?;
    let upload = Box::pin(state.engine.finish_expecting(&who, id, expected)).await?;
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

fn expected(request: &CompleteRequest) -> Result<Expected, Refused> {
    let crc64 = |hex: &String| {
        let digest = Digest::from_hex(Algorithm::Crc64Nvme, hex)?;
        digest.bytes().try_into().ok().map(u64::from_be_bytes)
    };
    let told = request.crc64nvme.as_ref().map(|hex| {
        crc64(hex).ok_or_else(|| Refused::field("crc64nvme", "is not a CRC-64/NVME: 16 hexadecimal digits"))
    });
    Ok(Expected { size_bytes: request.file_size, crc64: told.transpose()? })
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
