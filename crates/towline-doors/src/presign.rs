//! The presign door: document 003's protocol, over HTTP and as the payloads of an AWS Lambda function.
//! `docs/protocols/presign.md` has the wire format.

mod acts;
mod invoke;
mod wire;

use axum::extract::FromRequest as _;
use axum::extract::Request;
use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::desk::Desk;
use crate::door::{Door, add_also};
use crate::entrance::RequestId;
use crate::json::{Json, KeyPath, ListJson, MaybeListJson, Query, reply, whole_number};
use crate::openapi;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;
use wire::{
    AbortReply, CompleteReply, CompleteRequest, DownloadRequest, InitReply, InitRequest, PartUrlReply,
    PartUrlRequest, PartsReply, PresignError, UploadRequest, UrlReply, UrlRequest,
};

#[derive(Debug)]
pub(crate) struct Presign;

impl Door for Presign {
    fn name(&self) -> &'static str {
        DoorKind::Presign.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        let routes = [
            routes!(url),
            routes!(download),
            routes!(init),
            routes!(part_url),
            routes!(complete),
            routes!(abort),
            routes!(parts),
            routes!(list_parts),
            routes!(invoke::over_http),
        ]
        .into_iter()
        .fold(OpenApiRouter::new(), |router, routes| add_also(router, routes, also));
        openapi::refusing::<PresignError>(routes)
    }

    fn refuse(&self, refused: &Refused, _: &RequestId) -> Response {
        problem::dressed(refused, &PresignError::of(refused), "application/json")
    }
}

/// The document's browser code asks under `/api`.
fn also(path: &str) -> Vec<String> {
    let mut others = vec![format!("/api{path}")];
    if !path.ends_with('}') {
        others.extend([format!("{path}/"), format!("/api{path}/")]);
    }
    others
}

/// One signed URL to PUT a whole file to.
#[utoipa::path(
    post, path = "/uploads/url", tag = "presign", operation_id = "presign_url", request_body = UrlRequest,
    responses((status = 200, description = "PUT the file there, with this content type", body = UrlReply)),
)]
async fn url(desk: Desk, Json(request): Json<UrlRequest>) -> Result<Response, Refused> {
    Ok(reply(&acts::url(&desk, request).await?))
}

/// A signed URL to read a finished file from.
#[utoipa::path(
    get, path = "/uploads/download/{*key}", tag = "presign", operation_id = "presign_download",
    params(
        ("key" = String, Path, description = "The file; a `/` may be raw or encoded"),
        ("expires_in" = Option<u64>, Query, description = "Seconds", minimum = 1, maximum = 604_800),
    ),
    responses((status = 200, description = "GET the file there", body = UrlReply)),
)]
async fn download(desk: Desk, KeyPath(key): KeyPath, query: Query) -> Result<Response, Refused> {
    let seconds = |text| {
        whole_number(text).ok_or_else(|| Refused::field("expires_in", "must be a whole number, not negative"))
    };
    let expires_in = query.text("expires_in").map(seconds).transpose()?;
    Ok(reply(&acts::download(&desk, DownloadRequest { key, expires_in }).await?))
}

/// Begins an upload in parts.
#[utoipa::path(
    post, path = "/uploads/multipart/init", tag = "presign", operation_id = "presign_init",
    request_body = InitRequest,
    responses((status = 200, description = "The upload that takes the parts", body = InitReply)),
)]
async fn init(desk: Desk, Json(request): Json<InitRequest>) -> Result<Response, Refused> {
    Ok(reply(&acts::init(&desk, request).await?))
}

/// A signed URL to PUT one part to.
#[utoipa::path(
    post, path = "/uploads/multipart/part-url", tag = "presign", operation_id = "presign_part_url",
    request_body = PartUrlRequest,
    responses((status = 200, description = "Where the part goes", body = PartUrlReply)),
)]
async fn part_url(desk: Desk, Json(request): Json<PartUrlRequest>) -> Result<Response, Refused> {
    Ok(reply(&acts::part_url(&desk, request).await?))
}

/// Makes the file of the listed parts, whatever their order. Again, the answer is the same.
#[utoipa::path(
    post, path = "/uploads/multipart/complete", tag = "presign", operation_id = "presign_complete",
    request_body = CompleteRequest,
    responses((status = 200, description = "The file is in", body = CompleteReply)),
)]
async fn complete(desk: Desk, ListJson(request): ListJson<CompleteRequest>) -> Result<Response, Refused> {
    Ok(reply(&acts::complete(&desk, request).await?))
}

/// Gives an upload up. The key and the id come in the body or in the query.
#[utoipa::path(
    delete, path = "/uploads/multipart/abort", tag = "presign", operation_id = "presign_abort",
    request_body(content = Option<UploadRequest>),
    params(
        ("key" = Option<String>, Query, description = "When there is no body"),
        ("upload_id" = Option<String>, Query, description = "When there is no body"),
    ),
    responses((status = 200, description = "Nothing of it is kept", body = AbortReply)),
)]
async fn abort(
    State(state): State<DoorState>,
    desk: Desk,
    query: Query,
    request: Request,
) -> Result<Response, Refused> {
    let MaybeListJson(body) = MaybeListJson::<UploadRequest>::from_request(request, &state).await?;
    let request = body.map_or_else(|| UploadRequest::from_query(&query), Ok)?;
    Ok(reply(&acts::abort(&desk, request).await?))
}

/// The parts that have landed.
#[utoipa::path(
    get, path = "/uploads/multipart/parts", tag = "presign", operation_id = "presign_parts",
    params(
        ("key" = String, Query, description = "As init gave it"),
        ("upload_id" = String, Query, description = "As init gave it"),
    ),
    responses((status = 200, description = "All of them, ascending", body = PartsReply)),
)]
async fn parts(desk: Desk, query: Query) -> Result<Response, Refused> {
    Ok(reply(&acts::parts(&desk, UploadRequest::from_query(&query)?).await?))
}

/// The parts that have landed, asked for by a body.
#[utoipa::path(
    post, path = "/uploads/multipart/parts/list", tag = "presign", operation_id = "presign_list_parts",
    request_body = UploadRequest,
    responses((status = 200, description = "All of them, ascending", body = PartsReply)),
)]
async fn list_parts(desk: Desk, Json(request): Json<UploadRequest>) -> Result<Response, Refused> {
    Ok(reply(&acts::parts(&desk, request).await?))
}
