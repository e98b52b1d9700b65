//! The simple door: document 002's protocol. `docs/protocols/simple.md` has the wire format.

mod wire;

use axum::response::Response;
use towline_core::key::Key;
use towline_core::upload::About;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::desk::{Desk, Ticket, quoted};
use crate::door::{Door, add};
use crate::entrance::RequestId;
use crate::json::{Json, ListJson, reply};
use crate::naming;
use crate::openapi;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;
use wire::{
    CompleteRequest, Message, PartLine, PartsReply, SimpleError, StartReply, StartRequest, UploadRequest,
    UrlReply, UrlRequest,
};

#[derive(Debug)]
pub(crate) struct Simple;

impl Door for Simple {
    fn name(&self) -> &'static str {
        DoorKind::Simple.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        let routes = [routes!(start), routes!(url), routes!(parts), routes!(complete), routes!(abort)]
            .into_iter()
            .fold(OpenApiRouter::new(), add);
        openapi::refusing::<SimpleError>(routes)
    }

    fn refuse(&self, refused: &Refused, _: &RequestId) -> Response {
        problem::dressed(refused, &SimpleError::of(refused), "application/json")
    }
}

/// Begins an upload. The file's name becomes its key.
#[utoipa::path(
    post, path = "/start-multipart-upload", tag = "simple", operation_id = "simple_start",
    request_body = StartRequest,
    responses((status = 200, description = "The upload that takes the parts", body = StartReply)),
)]
async fn start(desk: Desk, Json(request): Json<StartRequest>) -> Result<Response, Refused> {
    let key = Key::parse(&naming::with_folders(&desk.who, &request.file_name))
        .map_err(|problem| Refused::field("fileName", problem.to_string()))?;
    let about = About { filename: naming::plain(&request.file_name), ..About::default() };
    let upload = desk.begin(key, about, None).await?;
    Ok(reply(&StartReply { upload_id: upload.id.to_string(), key: upload.key.to_string() }))
}

/// A signed URL to PUT one part to.
#[utoipa::path(
    post, path = "/get-presigned-url", tag = "simple", operation_id = "simple_url", request_body = UrlRequest,
    responses((status = 200, description = "Where the part goes", body = UrlReply)),
)]
async fn url(desk: Desk, Json(request): Json<UrlRequest>) -> Result<Response, Refused> {
    let ticket = Ticket::new(&request.upload_id, Some(&request.key))?;
    let presigned_url = desk.part_url(&ticket, request.part_number.0, None).await?;
    Ok(reply(&UrlReply { presigned_url }))
}

/// The parts that have landed.
#[utoipa::path(
    post, path = "/list-parts", tag = "simple", operation_id = "simple_parts", request_body = UploadRequest,
    responses((status = 200, description = "All of them, ascending", body = PartsReply)),
)]
async fn parts(desk: Desk, Json(request): Json<UploadRequest>) -> Result<Response, Refused> {
    let landed = desk.landed(&request.ticket()?).await?;
    let lines = landed.iter().map(|part| PartLine { number: part.number, tag: quoted(&desk.tag(part)) });
    Ok(reply(&PartsReply { parts: lines.collect() }))
}

/// Makes the file of the listed parts, whatever their order. Again, the answer is the same.
#[utoipa::path(
    post, path = "/complete-multipart-upload", tag = "simple", operation_id = "simple_complete",
    request_body = CompleteRequest,
    responses((status = 200, description = "The file is in", body = Message)),
)]
async fn complete(desk: Desk, ListJson(request): ListJson<CompleteRequest>) -> Result<Response, Refused> {
    let ticket = Ticket::new(&request.upload_id, Some(&request.key))?;
    let listed = request.parts.into_iter().map(Into::into).collect();
    desk.finish(&ticket, Some(listed)).await?;
    Ok(reply(&Message { message: "Upload completed successfully" }))
}

/// Gives an upload up. Again, the answer is the same.
#[utoipa::path(
    post, path = "/abort-multipart-upload", tag = "simple", operation_id = "simple_abort",
    request_body = UploadRequest,
    responses((status = 200, description = "Nothing of it is kept", body = Message)),
)]
async fn abort(desk: Desk, Json(request): Json<UploadRequest>) -> Result<Response, Refused> {
    desk.abandon(&request.ticket()?).await?;
    Ok(reply(&Message { message: "Upload aborted successfully" }))
}
