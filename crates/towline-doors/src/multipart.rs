//! The multipart door: document 000's protocol. `docs/protocols/multipart.md` has the wire format.

mod forms;
mod wire;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use towline_core::Refusal;
use towline_core::key::Key;
use towline_core::upload::{About, Part};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::desk::{self, Desk};
use crate::door::{Door, add};
use crate::entrance::RequestId;
use crate::json::{Json, MaybeListJson, path_param, reply};
use crate::naming;
use crate::openapi;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;
use wire::{
    AbortReply, CompleteReply, CompleteRequest, CreateRequest, MultipartError, PresignReply, PresignRequest,
    RegisterReply, RegisterRequest, Session, Status,
};

#[derive(Debug)]
pub(crate) struct Multipart;

impl Door for Multipart {
    fn name(&self) -> &'static str {
        DoorKind::Multipart.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        let routes = [
            routes!(create),
            routes!(presign),
            routes!(register_part),
            routes!(complete),
            routes!(status),
            routes!(abort),
            routes!(forms::video),
            routes!(forms::simple_video),
            routes!(forms::file),
        ]
        .into_iter()
        .fold(OpenApiRouter::new(), add);
        openapi::refusing::<MultipartError>(routes)
    }

    /// As Django's REST framework says no: `detail`, and a wrong field by its name.
    fn refuse(&self, refused: &Refused, _: &RequestId) -> Response {
        problem::dressed(refused, &MultipartError::of(refused), "application/json")
    }
}

/// The upload that a path names. Its key is not asked for.
struct Ticket(desk::Ticket);

impl<S: Sync> FromRequestParts<S> for Ticket {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        desk::Ticket::new(&path_param(parts, "upload_id").await?, None).map(Self)
    }
}

/// Begins an upload in parts, under a name that nobody has.
#[utoipa::path(
    post, path = "/api/multipart/create", tag = "multipart", operation_id = "multipart_create",
    request_body = CreateRequest,
    responses((status = 201, description = "The upload that takes the parts", body = Session)),
)]
async fn create(desk: Desk, Json(request): Json<CreateRequest>) -> Result<Response, Refused> {
    request.check()?;
    let key = recording(&desk, &request.filename)?;
    let size = request.size;
    let about = About {
        filename: naming::plain(&request.filename),
        content_type: Some(request.content_type.unwrap_or_else(|| "application/octet-stream".to_owned())),
        metadata: request.user_id.map(|user| ("user_id".to_owned(), user)).into_iter().collect(),
        ..About::default()
    };
    let upload = desk.begin(key, about, size.filter(|size| *size > 0)).await?;
    let session = Session::new(&upload, desk.links.bucket(), Vec::new());
    Ok(created(reply(&session)))
}

/// A signed URL to PUT one part to.
#[utoipa::path(
    post, path = "/api/multipart/{upload_id}/presign", tag = "multipart", operation_id = "multipart_presign",
    request_body = PresignRequest, params(("upload_id" = String, Path, description = "From create")),
    responses((status = 200, description = "Where the part goes", body = PresignReply)),
)]
async fn presign(
    desk: Desk,
    Ticket(ticket): Ticket,
    Json(request): Json<PresignRequest>,
) -> Result<Response, Refused> {
    let presigned_url = desk.part_url(&ticket, request.part_number.0, None).await?;
    Ok(reply(&PresignReply { presigned_url }))
}

/// Tells that a part was sent. What has really landed is known all the same: nothing is kept of it.
#[utoipa::path(
    post, path = "/api/multipart/{upload_id}/register-part", tag = "multipart",
    operation_id = "multipart_register_part",
    request_body = RegisterRequest, params(("upload_id" = String, Path, description = "From create")),
    responses((status = 200, description = "Heard", body = RegisterReply)),
)]
async fn register_part(
    desk: Desk,
    Ticket(ticket): Ticket,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Refused> {
    request.check()?;
    let upload = desk.engine.uploading(&desk.who, ticket.id).await?;
    upload.plan.slot(request.part_number.0, &desk.engine.limits())?;
    Ok(reply(&RegisterReply { status: "ok" }))
}

/// Makes the file of the listed parts, or of all that have landed. Again, the answer is the same.
#[utoipa::path(
    post, path = "/api/multipart/{upload_id}/complete", tag = "multipart", operation_id = "multipart_complete",
    request_body(content = Option<CompleteRequest>),
    params(("upload_id" = String, Path, description = "From create")),
    responses((status = 200, description = "The file is in", body = CompleteReply)),
)]
async fn complete(
    desk: Desk,
    Ticket(ticket): Ticket,
    MaybeListJson(request): MaybeListJson<CompleteRequest>,
) -> Result<Response, Refused> {
    let listed = request.and_then(CompleteRequest::listed);
    if listed.is_none() && desk.head(&ticket).await?.phase.takes_parts() {
        expect_no_hole(&desk.landed(&ticket).await?)?;
    }
    let finished = desk.finish(&ticket, listed).await?;
    Ok(reply(&CompleteReply {
        file_url: finished.location,
        status: Status::Completed,
        key: finished.key.to_string(),
        etag: finished.tag,
    }))
}

/// Without a list nobody says that a part is left out on purpose.
fn expect_no_hole(parts: &[Part]) -> Result<(), Refusal> {
    match (1..).zip(parts).find(|(number, part)| part.number != *number) {
        Some((number, _)) => Err(Refusal::MissingParts { first: vec![number], count: 1 }),
        None => Ok(()),
    }
}

/// The upload as it is now, with the parts that have landed.
#[utoipa::path(
    get, path = "/api/multipart/{upload_id}/status", tag = "multipart", operation_id = "multipart_status",
    params(("upload_id" = String, Path, description = "From create")),
    responses((status = 200, description = "How far it is", body = Session)),
)]
async fn status(desk: Desk, Ticket(ticket): Ticket) -> Result<Response, Refused> {
    let upload = desk.head(&ticket).await?;
    let parts = match Status::of(&upload.phase) {
        Status::Uploading | Status::Completed => desk.landed(&ticket).await?,
        Status::Aborted => Vec::new(),
    };
    let parts = parts.iter().map(|part| (part.number, desk.tag(part)));
    Ok(reply(&Session::new(&upload, desk.links.bucket(), parts.collect())))
}

/// Gives an upload up. Again, the answer is the same.
#[utoipa::path(
    post, path = "/api/multipart/{upload_id}/abort", tag = "multipart", operation_id = "multipart_abort",
    params(("upload_id" = String, Path, description = "From create")),
    responses((status = 200, description = "Nothing of it is kept", body = AbortReply)),
)]
async fn abort(desk: Desk, Ticket(ticket): Ticket) -> Result<Response, Refused> {
    desk.abandon(&ticket).await?;
    Ok(reply(&AbortReply { status: Status::Aborted }))
}

/// As the document's server names files.
fn recording(desk: &Desk, filename: &str) -> Result<Key, Refused> {
    let lead = format!("recordings/{:032x}/", desk.engine.fresh_id().as_u128());
    let text = naming::in_place(&desk.who, &lead, filename, &desk.engine.limits());
    Key::parse(&text).map_err(|problem| Refused::field("filename", problem.to_string()))
}

fn created(mut response: Response) -> Response {
    *response.status_mut() = StatusCode::CREATED;
    response
}
