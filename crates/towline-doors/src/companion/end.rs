//! Ending: completed or given up.

use axum::response::Response;
use towline_core::upload::Phase;

use super::wire::{AbortReply, CompleteReply, CompleteRequest};
use crate::desk::{Desk, Ticket};
use crate::json::{ListJson, reply};
use crate::refused::Refused;

/// Makes the file of the listed parts, whatever their order. Again, the answer is the same: browsers repeat a
/// request on their own when a kept connection dies.
#[utoipa::path(
    post, path = "/s3/multipart/{upload_id}/complete", tag = "companion", operation_id = "companion_complete",
    request_body = CompleteRequest,
    params(
        ("upload_id" = String, Path, description = "From create"),
        ("key" = String, Query, description = "From create"),
    ),
    responses((status = 200, description = "The file is in", body = CompleteReply)),
)]
pub(super) async fn complete(
    desk: Desk,
    ticket: Ticket,
    ListJson(request): ListJson<CompleteRequest>,
) -> Result<Response, Refused> {
    let listed = request.parts.into_iter().map(Into::into).collect();
    let finished = desk.finish(&ticket, Some(listed)).await?;
    Ok(reply(&CompleteReply {
        location: finished.location,
        key: finished.key.to_string(),
        bucket: desk.links.bucket().to_owned(),
    }))
}

/// Gives an upload up. One that is completed stays: Uppy sends this when it is taken off a page, too.
#[utoipa::path(
    delete, path = "/s3/multipart/{upload_id}", tag = "companion", operation_id = "companion_abort",
    params(
        ("upload_id" = String, Path, description = "From create"),
        ("key" = String, Query, description = "From create"),
    ),
    responses((status = 200, description = "Nothing unfinished is kept", body = AbortReply)),
)]
pub(super) async fn abort(desk: Desk, ticket: Ticket) -> Result<Response, Refused> {
    match desk.head(&ticket).await?.phase {
        Phase::Sealed(_) => {}
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => {
            desk.abandon(&ticket).await?;
        }
    }
    Ok(reply(&AbortReply {}))
}
