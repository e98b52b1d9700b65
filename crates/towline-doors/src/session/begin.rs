//! Beginning an upload, or finding it again.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use towline_core::digest::Algorithm;
use towline_core::engine::{Created, Cut, Order};
use towline_core::key::Key;
use towline_core::upload::About;
use towline_core::{Error, Refusal};
use tracing::Span;

use super::completed_parts;
use super::wire::{InitReply, InitRequest, Mode, Status, part_bytes};
use crate::DoorState;
use crate::auth::Caller;
use crate::declared;
use crate::json::{Json, reply};
use crate::moment::rfc3339;
use crate::refused::Refused;

/// Begins an upload, or finds yours of the same file again.
#[utoipa::path(
    post, path = "/upload/init", tag = "session", request_body = InitRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "As `idempotency_key`")),
    responses((status = 200, description = "The upload that takes the parts", body = InitReply)),
)]
pub(super) async fn init(
    State(state): State<DoorState>,
    Caller(who): Caller,
    headers: HeaderMap,
    Json(request): Json<InitRequest>,
) -> Result<Response, Refused> {
    let key_field = if request.key.is_some() { "key" } else { "filename" };
    let order = order(request, &headers)?;
    let created = state.engine.create(&who, order).await;
    let Created { upload, is_resumed } = created.map_err(|error| name_field(error, key_field))?;
    Span::current().record("upload.id", tracing::field::display(upload.id));
    let upload = if is_resumed { state.engine.status(&who, upload.id).await? } else { upload };
    let completed_parts = completed_parts(&state.engine, &who, &upload).await?;
    Ok(reply(&InitReply {
        session_id: upload.id.to_string(),
        total_parts: upload.plan.total_parts(),
        key: upload.key.to_string(),
        part_bytes: part_bytes(&upload.plan),
        status: Status::of(&upload.phase),
        completed_parts,
        expires_at: rfc3339(upload.expires_at),
        mode: Mode::of(&state.engine),
        resumed: is_resumed,
    }))
}

fn order(request: InitRequest, headers: &HeaderMap) -> Result<Order, Refused> {
    let (field, text) = match &request.key {
        Some(key) => ("key", key),
        None => ("filename", &request.filename),
    };
    let key = Key::parse(text).map_err(|problem| Refused::field(field, problem.to_string()))?;
    match (request.file_size, request.size_unknown) {
        (None, false) => return Err(Refused::field("file_size", "is missing")),
        (Some(_), true) => return Err(Refused::field("size_unknown", "is said together with 'file_size'")),
        (Some(_), false) | (None, true) => {}
    }
    if request.chunk_size == Some(0) {
        return Err(Refused::field("chunk_size", "is 0, a part has at least 1 byte"));
    }
    let algorithm = match &request.hash_algorithm {
        None => Algorithm::Sha256,
        Some(name) => declared::algorithm(name)?,
    };
    let declared = match &request.file_hash {
        None => None,
        Some(hash) => Some(declared::of_file(hash, algorithm)?),
    };
    let idempotency_key = match request.idempotency_key {
        Some(key) => Some(key),
        None => header_key(headers)?,
    };
    Ok(Order {
        key,
        cut: Cut::Even { wish_bytes: request.chunk_size },
        total_bytes: request.file_size,
        about: About {
            filename: request.filename,
            content_type: request.content_type,
            metadata: request.metadata.unwrap_or_default().into_iter().collect(),
            declared,
            fingerprint: request.fingerprint,
            idempotency_key,
        },
    })
}

/// A structured field's string, or bare as many send it.
fn header_key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Refused::field("Idempotency-Key", "is not plain ASCII"))?;
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    Ok(Some(bare.to_owned()))
}

/// The engine knows keys, not the field that one came from.
fn name_field(error: Error, field: &'static str) -> Refused {
    if let Error::Refused(Refusal::BadKey { problem, .. }) = error {
        return Refused::field(field, problem.to_string());
    }
    error.into()
}
