//! The `signing_key` door: document 001's protocol, and mule-uploader's. A page is handed a key to sign with, and
//! speaks S3 from then on. `docs/protocols/signing_key.md` has the wire format.

mod found;
mod wire;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use towline_core::Refusal;
use towline_core::policy::Operation;
use towline_core::upload::Upload;
use towline_sigv4::{Credentials, Scope, SigningKey as DerivedKey};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::auth::Caller;
use crate::desk::{Desk, Ticket};
use crate::door::{Door, add_also};
use crate::entrance::RequestId;
use crate::json::{Query, empty, reply};
use crate::links::moment;
use crate::moment::rfc3339;
use crate::openapi;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;
use found::StoreName;
use wire::{KeyReply, KeyRequest, SigningError};

#[derive(Debug)]
pub(crate) struct SigningKey;

impl Door for SigningKey {
    fn name(&self) -> &'static str {
        DoorKind::SigningKey.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        let also = |path: &str| {
            let bare = path.trim_start_matches("/upload-backend");
            vec![format!("{path}/"), bare.to_owned(), format!("{bare}/")]
        };
        let routes = [routes!(signing_key), routes!(chunk_loaded)]
            .into_iter()
            .fold(OpenApiRouter::new(), |router, routes| add_also(router, routes, also));
        openapi::refusing::<SigningError>(routes)
    }

    fn refuse(&self, refused: &Refused, _: &RequestId) -> Response {
        problem::dressed(refused, &SigningError::of(refused), "application/json")
    }
}

/// A key to sign with for one file, which is known again by name, size and time.
#[utoipa::path(
    get, path = "/upload-backend/signing_key", tag = "signing_key", operation_id = "signing_key",
    params(
        ("filename" = String, Query, description = "The file's name"),
        ("filesize" = u64, Query, description = "In bytes"),
        ("last_modified" = Option<String>, Query, description = "The file's time, as the page has it"),
        ("content_type" = Option<String>, Query, description = "What downloads say of it"),
        ("force" = Option<String>, Query, description = "`true` forgets what is there of this file"),
    ),
    responses((status = 200, description = "What to sign with, and what need not be sent", body = KeyReply)),
)]
async fn signing_key(State(state): State<DoorState>, desk: Desk, query: Query) -> Result<Response, Refused> {
    if !desk.who.may(Operation::Upload) {
        return Err(Refusal::Forbidden(Operation::Upload).into());
    }
    let is_direct = desk.engine.is_direct();
    let restricted = state.settings.restricted_key.as_ref().filter(|_| is_direct);
    if is_direct && restricted.is_none() {
        return Err(Refused::NoKeys);
    }
    let request = KeyRequest::parse(&query)?;
    let upload = begin(&desk, &request).await?;
    let chunks = chunks(&desk, &upload).await?;
    let (credentials, name) = match restricted {
        Some(restricted) => (restricted.clone(), StoreName::find(&desk, &upload).await?),
        None => (state.settings.s3.keyring.for_upload(upload.id), StoreName::of(&upload)),
    };
    // An upload that the page began at the store would not be known here: it goes on with this one.
    let is_begun = is_direct || !chunks.is_empty();
    Ok(reply(&KeyReply {
        date: rfc3339(desk.engine.now()),
        signature: derived(&desk, &credentials),
        access_key: credentials.access_key,
        region: desk.links.region().to_owned(),
        bucket: desk.links.bucket().to_owned(),
        backup_key: name.key.clone(),
        content_type: request.content_type,
        key: name.key,
        upload_id: is_begun.then_some(name.upload_id),
        chunks: is_begun.then_some(chunks),
    }))
}

/// Hears that a chunk has landed. What has really landed is known all the same.
#[utoipa::path(
    get, path = "/upload-backend/chunk_loaded", tag = "signing_key", operation_id = "chunk_loaded",
    params(
        ("chunk" = Option<String>, Query, description = "From 0"),
        ("key" = Option<String>, Query, description = "From signing_key"),
        ("upload_id" = Option<String>, Query, description = "As S3 gave it"),
    ),
    responses((status = 200, description = "Heard")),
)]
async fn chunk_loaded(_: Caller) -> Response {
    empty(StatusCode::OK)
}

/// The owner's upload of this file: the one that is under way, or a new one.
async fn begin(desk: &Desk, request: &KeyRequest) -> Result<Upload, Refused> {
    let created = desk.engine.create(&desk.who, request.order(desk)?).await?;
    if !(created.is_resumed && request.is_forced) {
        return Ok(created.upload);
    }
    desk.engine.abandon(&desk.who, created.upload.id).await?;
    Ok(desk.engine.create(&desk.who, request.order(desk)?).await?.upload)
}

/// What has landed, counted from 0.
async fn chunks(desk: &Desk, upload: &Upload) -> Result<Vec<u32>, Refused> {
    let ticket = Ticket { id: upload.id, key: None };
    Ok(desk.landed(&ticket).await?.iter().map(|part| part.number - 1).collect())
}

/// The key of today, in hexadecimal: it signs for this region's S3 and is good for seven days at most.
fn derived(desk: &Desk, credentials: &Credentials) -> String {
    let scope = Scope::s3(moment(desk.engine.now()).day(), desk.links.region());
    DerivedKey::derive(&credentials.secret_key, &scope).to_hex()
}
