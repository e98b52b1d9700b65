//! What the presign door does, whichever way it was asked.

use towline_core::key::Key;
use towline_core::policy::Existing;
use towline_core::upload::About;

use super::wire::{
    AbortReply, CompleteReply, CompleteRequest, DownloadRequest, InitReply, InitRequest, PartLine,
    PartUrlReply, PartUrlRequest, PartsReply, UploadRequest, UrlReply, UrlRequest,
};
use crate::desk::{Desk, Ticket, lifetime, quoted};
use crate::moment::rfc3339;
use crate::refused::Refused;

pub(super) async fn url(desk: &Desk, request: UrlRequest) -> Result<UrlReply, Refused> {
    let key = parse_key(&request.key)?;
    let lasts = lifetime("expires_in", request.expires_in)?;
    desk.engine.check_put(&desk.who, &key).await?;
    check_held(desk)?;
    check_type(request.content_type.as_deref())?;
    let url = desk.links.put_url(&key, request.content_type.as_deref(), desk.validity(lasts));
    Ok(UrlReply { url, key: request.key })
}

/// What no header can hold could be signed, but not sent.
fn check_type(content_type: Option<&str>) -> Result<(), Refused> {
    if content_type.is_some_and(|text| text.chars().any(char::is_control)) {
        return Err(Refused::field("content_type", "holds a control character"));
    }
    Ok(())
}

pub(super) async fn download(desk: &Desk, request: DownloadRequest) -> Result<UrlReply, Refused> {
    let key = parse_key(&request.key)?;
    let lasts = lifetime("expires_in", request.expires_in)?;
    // A URL of the store says nothing of whose the file is: that is found out before it is signed.
    desk.engine.read(&desk.who, key.clone()).await?;
    let url = desk.links.get_url(&key, None, desk.validity(lasts));
    Ok(UrlReply { url, key: request.key })
}

pub(super) async fn init(desk: &Desk, request: InitRequest) -> Result<InitReply, Refused> {
    let key = parse_key(&request.key)?;
    let about = About {
        filename: key.file_name().to_owned(),
        content_type: request.content_type,
        ..About::default()
    };
    let upload = desk.begin(key, about, None).await?;
    Ok(InitReply {
        upload_id: upload.id.to_string(),
        key: request.key,
        bucket: desk.links.bucket().to_owned(),
    })
}

pub(super) async fn part_url(desk: &Desk, request: PartUrlRequest) -> Result<PartUrlReply, Refused> {
    let ticket = Ticket::new(&request.upload_id, Some(&request.key))?;
    let lasts = lifetime("expires_in", request.expires_in)?;
    Ok(PartUrlReply {
        url: desk.part_url(&ticket, request.part_number.0, lasts).await?,
        part_number: request.part_number.0,
        key: request.key,
        upload_id: request.upload_id,
    })
}

pub(super) async fn complete(desk: &Desk, request: CompleteRequest) -> Result<CompleteReply, Refused> {
    let ticket = Ticket::new(&request.upload_id, Some(&request.key))?;
    let listed = request.parts.into_iter().map(Into::into).collect();
    let finished = desk.finish(&ticket, Some(listed)).await?;
    Ok(CompleteReply {
        location: finished.location,
        bucket: desk.links.bucket().to_owned(),
        key: request.key,
        etag: quoted(&finished.tag),
    })
}

pub(super) async fn abort(desk: &Desk, request: UploadRequest) -> Result<AbortReply, Refused> {
    desk.abandon(&request.ticket()?).await?;
    Ok(AbortReply {
        status: "aborted",
        bucket: desk.links.bucket().to_owned(),
        key: request.key,
        upload_id: request.upload_id,
    })
}

pub(super) async fn parts(desk: &Desk, request: UploadRequest) -> Result<PartsReply, Refused> {
    let landed = desk.landed(&request.ticket()?).await?;
    let lines = landed.iter().map(|part| PartLine {
        part_number: part.number,
        tag: quoted(&desk.tag(part)),
        size: part.size_bytes,
        last_modified: rfc3339(part.landed_at),
    });
    Ok(PartsReply {
        parts: lines.collect(),
        bucket: desk.links.bucket().to_owned(),
        part_count: landed.len(),
        key: request.key,
        upload_id: request.upload_id,
    })
}

/// What comes to the store by one signed PUT passes nobody who knows of these limits.
fn check_held(desk: &Desk) -> Result<(), Refused> {
    let policy = desk.engine.policy();
    let is_limited = policy.existing == Existing::Refuse || policy.total_bytes_max.is_some();
    if desk.engine.is_direct() && is_limited { Err(Refused::NoWholeLinks) } else { Ok(()) }
}

fn parse_key(text: &str) -> Result<Key, Refused> {
    Key::parse(text).map_err(|problem| Refused::field("key", problem.to_string()))
}
