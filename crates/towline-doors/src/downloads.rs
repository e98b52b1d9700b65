//! Finished files, whole or in ranges. `docs/protocols/downloads.md` has the details.

pub(crate) mod conditions;
mod disposition;
pub(crate) mod range;

use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use towline_core::digest::Digest;
use towline_core::engine::Download;
use towline_core::key::Key;
use towline_core::policy::Principal;
use towline_core::store::{ObjectReader, Signer, Validity};
use towline_core::upload::{Phase, Upload};
use tracing::Span;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::auth::Caller;
use crate::declared::{to_base64, to_structured};
use crate::door::Door;
use crate::entrance::{RequestId, unlikely_text};
use crate::json::{KeyPath, empty};
use crate::moment::http_date;
use crate::problem;
use crate::refused::{Refused, log_fault};
use crate::settings::DoorKind;
use conditions::{Current, Verdict};
use range::Wanted;

#[derive(Debug)]
pub(crate) struct Downloads;

impl Door for Downloads {
    fn name(&self) -> &'static str {
        DoorKind::Downloads.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        OpenApiRouter::new().routes(routes!(download))
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}

/// A finished file, whole or in ranges.
#[utoipa::path(
    method(get, head), path = "/download/{*key}", tag = "downloads",
    params(
        ("key" = String, Path, description = "The file's key; it may hold '/'"),
        ("Range" = Option<String>, Header, description = "One or more ranges of bytes"),
        ("If-Range" = Option<String>, Header, description = "The range only of this very file (an ETag)"),
        ("If-Match" = Option<String>, Header, description = "Only this very file"),
        ("If-None-Match" = Option<String>, Header, description = "Only another file"),
        ("If-Modified-Since" = Option<String>, Header, description = "Only a newer file"),
        ("If-Unmodified-Since" = Option<String>, Header, description = "Only a file that is no newer"),
    ),
    responses(
        (status = 200, description = "The whole file", body = Vec<u8>, content_type = "*/*"),
        (status = 206, description = "The ranges", body = Vec<u8>, content_type = "*/*"),
        (status = 307, description = "The file lies in a store that is reached directly: get it there"),
        (status = 304, description = "It is the file you have"),
        (status = 412, description = "A condition does not hold"),
        (status = 416, description = "No range lies within the file"),
    ),
)]
async fn download(
    State(state): State<DoorState>,
    Caller(who): Caller,
    KeyPath(text): KeyPath,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, Refused> {
    let key = Key::parse(&text).map_err(|problem| Refused::field("key", problem.to_string()))?;
    give(&state, &who, key, (&method, &headers)).await
}

/// A finished file, as its reader asks for it.
pub(crate) async fn give(
    state: &DoorState,
    who: &Principal,
    key: Key,
    (method, headers): (&Method, &HeaderMap),
) -> Result<Response, Refused> {
    let name = key.file_name().to_owned();
    let Download { object, upload } = state.engine.read(who, key.clone()).await?;
    let current = Current::new(&object.version, object.modified_at);
    let size_bytes = object.size_bytes;
    let mut response = match current.judge(headers) {
        Verdict::Failed => return Err(Refused::Precondition),
        Verdict::NotModified => empty(StatusCode::NOT_MODIFIED),
        Verdict::Send => {
            if *method == Method::GET
                && let Some(signer) = state.engine.signer().await?
            {
                return Ok(elsewhere(state, &*signer, &key));
            }
            let wanted = if current.admits_range(headers) {
                range::wanted(headers, size_bytes)
            } else {
                Wanted::Whole
            };
            let content_type = content_type(upload.as_ref());
            send(wanted, size_bytes, object.reader, &content_type)?
        }
    };
    let is_whole = response.status() == StatusCode::OK;
    let head = response.headers_mut();
    head.insert(ETAG, header(&current.etag));
    head.insert(LAST_MODIFIED, header(&http_date(object.modified_at)));
    head.insert(CACHE_CONTROL, state.settings.download_cache.clone());
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head.insert(CONTENT_DISPOSITION, header(&disposition::attachment(&name)));
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    head.insert(CONTENT_SECURITY_POLICY, policy);
    add_digests(head, upload.as_ref(), is_whole);
    Ok(response)
}

/// Sends the client to the store for the bytes.
fn elsewhere(state: &DoorState, signer: &dyn Signer, key: &Key) -> Response {
    let validity = Validity { from: state.engine.now(), lasts: state.settings.s3.url_lifetime };
    let name = disposition::attachment(key.file_name());
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    let head = response.headers_mut();
    head.insert(LOCATION, header(&signer.get_url(key, Some(&name), validity)));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Text of ours as a header's value.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// As the client said; it is never run on our origin, whatever it says.
pub(crate) fn content_type(upload: Option<&Upload>) -> HeaderValue {
    upload
        .and_then(|upload| upload.about.content_type.as_deref())
        .filter(|text| text.contains('/'))
        .and_then(|text| HeaderValue::from_str(text).ok())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// What the receipt proves of the whole file. S3's checksum speaks of the body, so it goes with whole files only.
fn add_digests(head: &mut HeaderMap, upload: Option<&Upload>, is_whole: bool) {
    let Some(Phase::Sealed(receipt)) = upload.map(|upload| &upload.phase) else {
        return;
    };
    if let Some(text) = receipt.verified.as_ref().and_then(to_structured) {
        head.insert("repr-digest", header(&text));
    }
    if let Some(crc64) = receipt.crc64.filter(|_| is_whole) {
        let digest = Digest::of_crc64(crc64);
        head.insert("x-amz-checksum-crc64nvme", header(&to_base64(&digest)));
    }
}

pub(crate) fn send(
    wanted: Wanted,
    size_bytes: u64,
    reader: Box<dyn ObjectReader>,
    content_type: &HeaderValue,
) -> Result<Response, Refused> {
    let ranges = match wanted {
        Wanted::Nothing => return Err(Refused::Range { size_bytes }),
        Wanted::Whole => {
            let body = Body::from_stream(reader.read(0..size_bytes).inspect_err(log_fault));
            return Ok(sent(StatusCode::OK, content_type, (body, size_bytes)));
        }
        Wanted::Ranges(ranges) => ranges,
    };
    Ok(match <[Range<u64>; 1]>::try_from(ranges) {
        Ok([range]) => {
            let place = content_range(&range, size_bytes);
            let length = range.end - range.start;
            let body = Body::from_stream(reader.read(range).inspect_err(log_fault));
            let mut response = sent(StatusCode::PARTIAL_CONTENT, content_type, (body, length));
            response.headers_mut().insert(CONTENT_RANGE, header(&place));
            response
        }
        Err(several) => send_several(several, size_bytes, reader, content_type),
    })
}

/// Once the head is out, a fault can only break the body off; the log has the reason.
fn sent(status: StatusCode, content_type: &HeaderValue, (body, length): (Body, u64)) -> Response {
    Span::current().record("size_bytes", length);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, content_type.clone());
    head.insert(CONTENT_LENGTH, length.into());
    response
}

fn content_range(range: &Range<u64>, size_bytes: u64) -> String {
    format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1)
}

/// Several ranges in one body (RFC 9110, 14.6).
fn send_several(
    ranges: Vec<Range<u64>>,
    size_bytes: u64,
    reader: Box<dyn ObjectReader>,
    content_type: &HeaderValue,
) -> Response {
    let boundary = format!("towline-{}", unlikely_text());
    let kind = content_type.to_str().unwrap_or("application/octet-stream");
    let heads: Vec<(String, Range<u64>)> = ranges
        .into_iter()
        .map(|range| {
            let place = content_range(&range, size_bytes);
            let head = format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {place}\r\n\r\n");
            (head, range)
        })
        .collect();
    let end = format!("\r\n--{boundary}--\r\n");
    let length: u64 =
        heads.iter().map(|(head, range)| head.len() as u64 + (range.end - range.start)).sum::<u64>()
            + end.len() as u64;
    let pieces = stream::iter(heads).flat_map(move |(head, range)| {
        stream::once(async move { Ok(Bytes::from(head)) }).chain(reader.read(range))
    });
    let whole = pieces.chain(stream::once(async move { Ok(Bytes::from(end)) }));
    let body = Body::from_stream(whole.inspect_err(log_fault));
    let kind = header(&format!("multipart/byteranges; boundary={boundary}"));
    sent(StatusCode::PARTIAL_CONTENT, &kind, (body, length))
}
