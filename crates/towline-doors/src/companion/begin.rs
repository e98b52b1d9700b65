//! Beginning: an upload in parts, a form for a whole file, or credentials for a while.

use axum::extract::State;
use axum::response::Response;
use towline_core::Refusal;
use towline_core::key::Key;
use towline_core::policy::Operation;
use towline_sigv4::Secret;

use super::wire::{CreateReply, CreateRequest, ParamsReply, StsCredentials, StsReply, about_of_query};
use crate::DoorState;
use crate::desk::Desk;
use crate::json::{Json, Query, reply};
use crate::keyring::Lent;
use crate::moment::rfc3339;
use crate::naming;
use crate::refused::Refused;

/// Begins an upload in parts. Its key is made here: it must go along with every later request.
#[utoipa::path(
    post, path = "/s3/multipart", tag = "companion", operation_id = "companion_create",
    request_body = CreateRequest,
    responses((status = 200, description = "The upload that takes the parts", body = CreateReply)),
)]
pub(super) async fn create(desk: Desk, Json(request): Json<CreateRequest>) -> Result<Response, Refused> {
    let key = key(&desk, &request.filename)?;
    let upload = desk.begin(key, request.into_about(), None).await?;
    Ok(reply(&CreateReply {
        key: upload.key.to_string(),
        upload_id: upload.id.to_string(),
        bucket: desk.links.bucket().to_owned(),
    }))
}

/// A form to POST a whole small file with.
#[utoipa::path(
    get, path = "/s3/params", tag = "companion", operation_id = "companion_params",
    params(
        ("filename" = String, Query, description = "The file's name"),
        ("type" = Option<String>, Query, description = "Its content type"),
        ("metadata[…]" = Option<String>, Query, description = "Kept with the file, by name"),
    ),
    responses((status = 200, description = "Post the fields, then the file in the field `file`", body = ParamsReply)),
)]
pub(super) async fn params(desk: Desk, query: Query) -> Result<Response, Refused> {
    let about = about_of_query(&query)?;
    let key = key(&desk, &about.filename)?;
    desk.engine.check_put(&desk.who, &key).await?;
    let limits = desk.engine.limits();
    let size_bytes_max = limits.part_bytes_max.min(limits.total_bytes_max);
    let form = desk.links.form(&key, &about, size_bytes_max, desk.validity(None));
    Ok(reply(&ParamsReply {
        method: "POST",
        url: form.url,
        fields: form.fields,
        expires: desk.url_lifetime.as_secs(),
    }))
}

/// As Companion names files: nobody has to think of a free name.
fn key(desk: &Desk, filename: &str) -> Result<Key, Refused> {
    let lead = format!("{}-", desk.engine.fresh_id());
    let text = naming::in_place(&desk.who, &lead, filename, &desk.engine.limits());
    Key::parse(&text).map_err(|problem| Refused::field("filename", problem.to_string()))
}

/// Credentials for a page that signs for itself: they upload below the caller's own place, and end by themselves.
#[utoipa::path(
    get, path = "/s3/sts", tag = "companion", operation_id = "companion_sts",
    responses((status = 200, description = "Credentials for a while", body = StsReply)),
)]
pub(super) async fn sts(State(state): State<DoorState>, desk: Desk) -> Result<Response, Refused> {
    if desk.engine.is_direct() {
        return Err(Refused::NoKeys);
    }
    if !desk.who.may(Operation::Upload) {
        return Err(Refusal::Forbidden(Operation::Upload).into());
    }
    let Lent { credentials, expires_at } =
        state.settings.s3.keyring.lend(&desk.who, desk.engine.now(), desk.url_lifetime);
    let session_token = credentials.session_token.as_ref().map_or("", Secret::expose).to_owned();
    Ok(reply(&StsReply {
        credentials: StsCredentials {
            access_key_id: credentials.access_key,
            secret_access_key: credentials.secret_key.expose().to_owned(),
            session_token,
            expiration: rfc3339(expires_at),
        },
        bucket: desk.links.bucket().to_owned(),
        region: desk.links.region().to_owned(),
    }))
}
