//! Where parts go, and which have landed.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use tracing::Span;

use super::wire::{BatchReply, PartLine, SignReply, part_numbers};
use crate::desk::{Desk, Ticket, quoted};
use crate::json::{Query, path_param, reply, whole_number};
use crate::moment::rfc3339;
use crate::refused::Refused;

/// The part that a path names.
pub(super) struct Number(u64);

impl<S: Sync> FromRequestParts<S> for Number {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let text = path_param(parts, "part_number").await?;
        let number = whole_number(&text)
            .ok_or_else(|| Refused::field("partNumber", format!("{text:?} is not a whole number")))?;
        Span::current().record("part.number", number);
        Ok(Self(number))
    }
}

/// A signed URL to PUT one part to.
#[utoipa::path(
    get, path = "/s3/multipart/{upload_id}/{part_number}", tag = "companion", operation_id = "companion_sign",
    params(
        ("upload_id" = String, Path, description = "From create"),
        ("part_number" = u32, Path, description = "From 1", minimum = 1, maximum = 10_000),
        ("key" = String, Query, description = "From create"),
    ),
    responses((status = 200, description = "Where the part goes", body = SignReply)),
)]
pub(super) async fn sign(desk: Desk, ticket: Ticket, Number(number): Number) -> Result<Response, Refused> {
    let url = desk.part_url(&ticket, number, None).await?;
    Ok(reply(&SignReply { url, expires: desk.url_lifetime.as_secs() }))
}

/// Signed URLs for up to 10,000 parts.
#[utoipa::path(
    get, path = "/s3/multipart/{upload_id}/batch", tag = "companion", operation_id = "companion_batch",
    params(
        ("upload_id" = String, Path, description = "From create"),
        ("key" = String, Query, description = "From create"),
        ("partNumbers" = String, Query, description = "Numbers and ranges: `1,2,5-10000`"),
    ),
    responses((status = 200, description = "Where each part goes", body = BatchReply)),
)]
pub(super) async fn batch(desk: Desk, ticket: Ticket, query: Query) -> Result<Response, Refused> {
    let numbers = part_numbers(query.needed("partNumbers")?)?;
    Ok(reply(&BatchReply { presigned_urls: desk.part_urls(&ticket, numbers, None).await? }))
}

/// The parts that have landed.
#[utoipa::path(
    get, path = "/s3/multipart/{upload_id}", tag = "companion", operation_id = "companion_list",
    params(
        ("upload_id" = String, Path, description = "From create"),
        ("key" = String, Query, description = "From create"),
    ),
    responses((status = 200, description = "All of them, ascending", body = [PartLine])),
)]
pub(super) async fn list(desk: Desk, ticket: Ticket) -> Result<Response, Refused> {
    let landed = desk.landed(&ticket).await?;
    let lines = landed.iter().map(|part| PartLine {
        part_number: part.number,
        size: part.size_bytes,
        tag: quoted(&desk.tag(part)),
        last_modified: rfc3339(part.landed_at),
    });
    Ok(reply(&lines.collect::<Vec<_>>()))
}
