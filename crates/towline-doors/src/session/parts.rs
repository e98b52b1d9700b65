//! Sending parts, and seeing which have landed.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use towline_core::Engine;
use towline_core::engine::{Landed, PutPart};
use towline_core::store::Validity;
use towline_core::upload::UploadId;
use tracing::Span;
use utoipa::ToSchema;

use super::PAGE;
use super::wire::{
    Mode, PartLine, PartReply, PartUrl, PartsReply, ProgressReply, RegisterReply, RegisterRequest, SentPart,
    UrlsReply, UrlsRequest, crc64nvme, md5,
};
use crate::DoorState;
use crate::auth::Caller;
use crate::declared;
use crate::intake::Intake;
use crate::json::{Json, PartPath, Query, UploadPath, reply};
use crate::refused::Refused;

/// How many URLs one reply gives.
const URLS_MAX: u64 = 10_000;

/// A part in a form, as the document's client sends it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is streamed, never held")]
struct PartForm {
    /// The part's bytes.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// Takes one part. The reply means that it survives power loss. Sending it again is fine.
#[utoipa::path(
    put, path = "/upload/{session_id}/part/{part_number}", tag = "session",
    params(
        ("session_id" = String, Path, description = "From init"),
        ("part_number" = u32, Path, description = "From 1", minimum = 1),
        ("X-Part-Hash" = Option<String>, Header, description = "MD5 in hexadecimal", pattern = "^[0-9a-fA-F]{32}$"),
        ("Content-MD5" = Option<String>, Header, description = "MD5 in base64"),
        ("Content-Digest" = Option<String>, Header, description = "RFC 9530"),
        ("Repr-Digest" = Option<String>, Header, description = "RFC 9530"),
        ("x-amz-checksum-crc32" = Option<String>, Header, description = "In base64"),
        ("x-amz-checksum-crc32c" = Option<String>, Header, description = "In base64"),
        ("x-amz-checksum-crc64nvme" = Option<String>, Header, description = "In base64"),
        ("x-amz-checksum-sha1" = Option<String>, Header, description = "In base64"),
        ("x-amz-checksum-sha256" = Option<String>, Header, description = "In base64"),
    ),
    request_body(content(
        (Vec<u8> = "application/octet-stream"),
        (PartForm = "multipart/form-data"),
    )),
    responses((status = 200, description = "The part has landed", body = PartReply)),
)]
pub(super) async fn put(
    State(state): State<DoorState>,
    Caller(who): Caller,
    path: PartPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let mut intake = Intake::new(&headers, body)?;
    let put = PutPart {
        id: path.id,
        number: path.number,
        size_bytes: intake.size_bytes,
        declared: declared::of_part(&headers, intake.framing)?,
        computed: Vec::new(),
    };
    let landed = state.engine.put_part(&who, put, intake.frames.as_mut()).await?;
    Span::current().record("size_bytes", landed.part.size_bytes);
    Ok(reply(&part_reply(&landed)))
}

fn part_reply(landed: &Landed) -> PartReply {
    PartReply {
        part_number: landed.part.number,
        received: true,
        size: landed.part.size_bytes,
        checksum: md5(&landed.part.digests),
        crc64nvme: crc64nvme(landed.part.crc64),
        progress: ProgressReply::new(landed.progress, &landed.upload),
    }
}

/// Landed parts with their digests, for a resume that checks before it trusts.
#[utoipa::path(
    get, path = "/upload/{session_id}/parts", tag = "session",
    params(
        ("session_id" = String, Path, description = "From init"),
        ("after" = Option<u32>, Query, description = "Only parts above this number", maximum = 4_294_967_295_u32),
        ("limit" = Option<u32>, Query, description = "At most so many", minimum = 1, maximum = 1000),
    ),
    responses((status = 200, description = "A page of parts", body = PartsReply)),
)]
pub(super) async fn page(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
    query: Query,
) -> Result<Response, Refused> {
    let after = query.number("after", (0, u32::MAX))?.unwrap_or(0);
    let limit = query.number("limit", (1, 1000))?.map_or(PAGE, |limit| limit as usize);
    let parts = state.engine.parts(&who, id, (after, limit)).await?;
    let is_full = parts.len() == limit;
    Ok(reply(&PartsReply {
        next: parts.last().filter(|_| is_full).map(|part| part.number),
        parts: parts.iter().map(|part| PartLine::new(part, state.engine.part_tag(part))).collect(),
    }))
}

/// Registers parts that were sent to the store directly, and says which the store does not have. Refused while the
/// bytes go through this server.
#[utoipa::path(
    post, path = "/upload/{session_id}/parts", tag = "session", request_body = RegisterRequest,
    params(("session_id" = String, Path, description = "From init")),
    responses(
        (status = 200, description = "What the store has", body = RegisterReply),
        (status = 409, description = "The bytes of this upload go through this server"),
    ),
)]
pub(super) async fn register(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Refused> {
    if request.parts.len() as u64 > URLS_MAX {
        return Err(Refused::field("parts", format!("are more than the {URLS_MAX} taken at once")));
    }
    state.engine.head(&who, id).await?;
    if !state.engine.is_direct() {
        return Err(Refused::NotDirect);
    }
    let mut landed: HashMap<u64, String> = HashMap::new();
    let mut after = 0;
    loop {
        let page = Box::pin(state.engine.parts(&who, id, (after, PAGE))).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        landed.extend(page.iter().map(|part| (u64::from(part.number), state.engine.part_tag(part))));
    }
    // The first page asked the store, and recorded what was news.
    let upload = state.engine.head(&who, id).await?;
    let is_there = |sent: &&SentPart| {
        let tag = landed.get(&sent.part_number);
        tag.is_some_and(|tag| sent.etag.as_ref().is_none_or(|etag| etag.trim_matches('"') == tag))
    };
    let missing = request.parts.iter().filter(|sent| !is_there(sent)).map(|sent| sent.part_number);
    Ok(reply(&RegisterReply {
        session_id: id.to_string(),
        mode: Mode::Direct,
        missing_parts: missing.collect(),
        progress: ProgressReply::new(upload.progress, &upload),
    }))
}

/// One URL for each wanted part, all in one reply.
#[utoipa::path(
    post, path = "/upload/{session_id}/urls", tag = "session", request_body = UrlsRequest,
    params(("session_id" = String, Path, description = "From init")),
    responses((status = 200, description = "Where each part goes", body = UrlsReply)),
)]
pub(super) async fn urls(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
    Json(request): Json<UrlsRequest>,
) -> Result<Response, Refused> {
    let numbers = wanted(&request)?;
    let upload = state.engine.uploading(&who, id).await?;
    let base = state.settings.public_url.as_deref().unwrap_or("");
    let signer = state.engine.signer().await?;
    let validity = Validity { from: state.engine.now(), lasts: state.settings.s3.url_lifetime };
    let signed = signer.map(|signer| signer.part_urls(&upload, validity));
    let limits = Engine::limits(&state.engine);
    let mut urls = Vec::with_capacity(numbers.len());
    for number in numbers {
        let slot = upload.plan.slot(number, &limits)?;
        let url = match &signed {
            Some(signed) => signed(slot.number),
            None => part_url(base, id, slot.number),
        };
        urls.push(PartUrl { part_number: slot.number, url, size: slot.room.max_bytes() });
    }
    Ok(reply(&UrlsReply { session_id: id.to_string(), mode: Mode::of(&state.engine), urls }))
}

fn part_url(base: &str, id: UploadId, number: u32) -> String {
    format!("{base}/upload/{id}/part/{number}")
}

fn wanted(request: &UrlsRequest) -> Result<Vec<u64>, Refused> {
    let too_many =
        |field, count| Refused::field(field, format!("asks for {count} parts, {URLS_MAX} are given at once"));
    match (&request.parts, request.from, request.to) {
        (Some(parts), None, None) if parts.len() as u64 > URLS_MAX => {
            Err(too_many("parts", parts.len() as u64))
        }
        (Some(parts), None, None) => Ok(parts.clone()),
        (None, Some(from), Some(to)) if from > to => {
            Err(Refused::field("to", format!("is before 'from', which is {from}")))
        }
        (None, Some(from), Some(to)) if to - from >= URLS_MAX => {
            Err(too_many("to", (to - from).saturating_add(1)))
        }
        (None, Some(from), Some(to)) => Ok((from..=to).collect()),
        (None, Some(_), None) => Err(Refused::field("to", "is missing beside 'from'")),
        (None, None, Some(_)) => Err(Refused::field("from", "is missing beside 'to'")),
        (None, None, None) => Err(Refused::field("parts", "is missing: give 'parts', or 'from' and 'to'")),
        (Some(_), _, _) => Err(Refused::field("parts", "is given together with 'from' or 'to'")),
    }
}
