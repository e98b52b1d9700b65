//! Files that a page posts in a form: the form's policy is signed, and says what the form may hold.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream, StreamExt as _};
use towline_core::Refusal;
use towline_core::engine::{BodyEnd, Cut, Order};
use towline_core::key::Key;
use towline_core::upload::Phase;

use super::policy::{Policy, too_large};
use super::problem::{ACCESS_DENIED, Denied, INVALID_ARGUMENT, INVALID_POLICY, MALFORMED_FORM};
use super::xml::Element;
use super::{document, foreign, guard, metadata, note_upload, quoted};
use crate::DoorState;
use crate::form::{self, FrameResult, Opened};
use crate::json::empty;
use crate::refused::Refused;

/// The field that holds the file. What comes after it is not looked at, as S3 has it.
const FILE: &str = "file";

pub(super) async fn post(state: DoorState, headers: &HeaderMap, body: Body) -> Result<Response, Denied> {
    let boundary = form::boundary(headers).transpose()?.ok_or_else(|| malformed("it names no boundary"))?;
    let frames = body.into_data_stream().map(|frame| frame.map_err(|_| BodyEnd::Cut));
    let opening = form::open(frames, &boundary, FILE);
    let opened = tokio::time::timeout(state.settings.json_wait, opening).await;
    let opened = opened.map_err(|_| Denied::from(Refused::BodyLate))?;
    let Opened { fields, filename, frames, .. } = opened.map_err(|end| match end {
        BodyEnd::Cut => Refused::BodyCut.into(),
        BodyEnd::Refused(refusal) => malformed(&refusal.to_string()),
    })?;
    let fields = known(fields, filename.as_deref().unwrap_or(""));
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let encoded = field("policy").ok_or_else(|| Denied::new(ACCESS_DENIED, "Access Denied"))?;
    let pairs: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let who = guard::admit_form(&state, &pairs, encoded).await?;
    let policy = STANDARD.decode(encoded);
    let policy = policy.map_err(|_| Denied::new(INVALID_POLICY, "Invalid Policy: it is not base64"))?;
    let policy = Policy::parse(&policy)?;
    policy.check(state.engine.now(), &fields, &state.settings.s3.bucket)?;

    foreign::check(pairs.iter().map(|(name, value)| (as_header(name), value.as_bytes())))?;
    let key = field("key").ok_or_else(|| {
        let message = "Bucket POST must contain a field named 'key'.";
        Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", "key")
    })?;
    let key = Key::parse(key).map_err(|problem| Denied::key(&problem))?;
    let about = metadata::about(&as_headers(&fields), &key)?;
    let order = Order { key: key.clone(), cut: Cut::Free, total_bytes: None, about };
    let broken = Arc::new(OnceLock::new());
    let mut measured = Box::pin(measured(frames, policy, Arc::clone(&broken)));
    let put = state.engine.put_object(&who, (order, Vec::new()), measured.as_mut());
    let sealed = Box::pin(put).await;
    let sealed = sealed.map_err(|error| broken.get().cloned().unwrap_or_else(|| error.into()))?;
    note_upload(sealed.id);
    let links = state.links(headers, &who).await;
    let bucket = &state.settings.s3.bucket;
    let location = links.map_or_else(|_| format!("/{bucket}/{key}"), |links| links.location(&key));
    let tag = match &sealed.phase {
        Phase::Sealed(receipt) => receipt.tag.clone().unwrap_or_else(|| receipt.version.clone()),
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => String::new(),
    };
    let done = Posted { location, bucket, key: &key, tag: quoted(&tag) };
    Ok(done.reply(field("success_action_status")))
}

fn malformed(problem: &str) -> Denied {
    let message = "The body of your POST request is not well-formed multipart/form-data";
    Denied::new(MALFORMED_FORM, format!("{message}: {problem}"))
}

/// Field names know no case. The name of the file may stand in its key.
fn known(fields: Vec<(String, String)>, filename: &str) -> Vec<(String, String)> {
    let one = |(name, value): (String, String)| {
        let name = name.to_ascii_lowercase();
        let value = if name == "key" { value.replace("${filename}", filename) } else { value };
        (name, value)
    };
    fields.into_iter().map(one).collect()
}

/// Two fields are not called as the headers are that they stand for.
fn as_header(field: &str) -> &str {
    match field {
        "acl" => "x-amz-acl",
        "tagging" => "x-amz-tagging",
        other => other,
    }
}

/// What is said of the file, as a request with headers would say it.
fn as_headers(fields: &[(String, String)]) -> HeaderMap {
    let is_about =
        |name: &str| ["content-type", "content-encoding"].contains(&name) || name.starts_with("x-amz-meta-");
    let named = fields.iter().filter(|(name, _)| is_about(name)).filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    named.collect()
}

/// The file, cut off where it is larger than the policy allows, and refused at its end where it is smaller.
fn measured(
    frames: impl Stream<Item = FrameResult> + Send + Unpin,
    policy: Policy,
    broken: Arc<OnceLock<Denied>>,
) -> impl Stream<Item = FrameResult> + Send {
    let refuse = move |denied: Denied| {
        broken.set(denied).ok();
        let problem = "is not of a size that the policy allows".to_owned();
        Some((Err(BodyEnd::Refused(Refusal::BadField { field: FILE.into(), problem })), None))
    };
    stream::unfold(Some((frames, 0, policy)), move |state| {
        let refuse = refuse.clone();
        async move {
            let (mut frames, size_bytes, policy) = state?;
            let Some(frame) = frames.next().await else {
                return policy.check_size(size_bytes).err().and_then(refuse);
            };
            let Ok(frame) = frame else { return Some((frame, None)) };
            let size_bytes = size_bytes + frame.len() as u64;
            match policy.size_bytes_max().filter(|allowed| size_bytes > *allowed) {
                Some(allowed) => refuse(too_large(allowed)),
                None => Some((Ok(frame), Some((frames, size_bytes, policy)))),
            }
        }
    })
}

/// What the page is told of its file.
struct Posted<'a> {
    location: String,
    bucket: &'a str,
    key: &'a Key,
    tag: String,
}

impl Posted<'_> {
    fn reply(self, wanted_status: Option<&str>) -> Response {
        let mut response = match wanted_status {
            Some("200") => empty(StatusCode::OK),
            Some("201") => {
                let told = Element::document("PostResponse")
                    .text("Location", &self.location)
                    .text("Bucket", self.bucket)
                    .text("Key", self.key.as_str())
                    .text("ETag", &self.tag);
                let mut response = document(told.end());
                *response.status_mut() = StatusCode::CREATED;
                response
            }
            Some(_) | None => empty(StatusCode::NO_CONTENT),
        };
        let headers = response.headers_mut();
        headers.extend(HeaderValue::try_from(self.tag).ok().map(|tag| (ETAG, tag)));
        headers.extend(HeaderValue::try_from(self.location).ok().map(|location| (LOCATION, location)));
        response
    }
}
