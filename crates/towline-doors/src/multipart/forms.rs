//! Whole files in forms: small recordings that are not worth an upload in parts. They are streamed as any other.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::StreamExt as _;
use towline_core::engine::{BodyEnd, Cut, Order};
use towline_core::upload::About;
use utoipa::ToSchema;

use super::wire::{FileReply, VideoReply};
use super::{created, recording};
use crate::DoorState;
use crate::desk::Desk;
use crate::form::{self, Opened};
use crate::json::reply;
use crate::naming;
use crate::refused::Refused;

/// A recording.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is streamed, never held")]
#[schema(as = multipart::VideoForm)]
struct VideoForm {
    user_id: Option<String>,
    /// The last field.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    video: String,
}

/// A file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is streamed, never held")]
#[schema(as = multipart::FileForm)]
struct FileForm {
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// Takes a whole recording.
#[utoipa::path(
    post, path = "/api/upload", tag = "multipart", operation_id = "multipart_video",
    request_body(content(( VideoForm = "multipart/form-data" ))),
    responses((status = 201, description = "The file is in", body = VideoReply)),
)]
pub(super) async fn video(
    State(state): State<DoorState>,
    desk: Desk,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let (video_url, key) = take(&desk, &headers, body, ("video", state.settings.json_wait)).await?;
    Ok(created(reply(&VideoReply { video_url, key })))
}

/// Takes a whole recording, by its other address.
#[utoipa::path(
    post, path = "/api/upload/simple", tag = "multipart", operation_id = "multipart_simple_video",
    request_body(content(( VideoForm = "multipart/form-data" ))),
    responses((status = 201, description = "The file is in", body = VideoReply)),
)]
pub(super) async fn simple_video(
    state: State<DoorState>,
    desk: Desk,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    video(state, desk, headers, body).await
}

/// Takes a whole file.
#[utoipa::path(
    post, path = "/api/upload/backend", tag = "multipart", operation_id = "multipart_file",
    request_body(content(( FileForm = "multipart/form-data" ))),
    responses((status = 201, description = "The file is in", body = FileReply)),
)]
pub(super) async fn file(
    State(state): State<DoorState>,
    desk: Desk,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let (file_url, key) = take(&desk, &headers, body, ("file", state.settings.json_wait)).await?;
    Ok(created(reply(&FileReply { file_url, key })))
}

/// The address and the key of the file that a form brought in this field, which begins before the wait is over.
async fn take(
    desk: &Desk,
    headers: &HeaderMap,
    body: Body,
    (field, wait): (&'static str, Duration),
) -> Result<(String, String), Refused> {
    let boundary = form::boundary(headers)
        .ok_or_else(|| Refused::field("Content-Type", "is not multipart/form-data"))??;
    let frames = body.into_data_stream().map(|frame| frame.map_err(|_| BodyEnd::Cut));
    let opening = tokio::time::timeout(wait, form::open(frames, &boundary, field));
    let opened = opening.await.map_err(|_| Refused::BodyLate)?.map_err(|end| match end {
        BodyEnd::Cut => Refused::BodyCut,
        BodyEnd::Refused(refusal) => refusal.into(),
    })?;
    let Opened { fields, filename, content_type, mut frames } = opened;
    let filename = filename.unwrap_or_default();
    let key = recording(desk, &filename)?;
    let metadata = fields.into_iter().filter(|(name, _)| name == "user_id").take(1).collect();
    let about = About { filename: naming::plain(&filename), content_type, metadata, ..About::default() };
    let order = Order { key, cut: Cut::Free, total_bytes: None, about };
    let putting = desk.engine.put_object(&desk.who, (order, Vec::new()), frames.as_mut());
    let upload = Box::pin(putting).await?;
    Ok((desk.links.location(&upload.key), upload.key.to_string()))
}
