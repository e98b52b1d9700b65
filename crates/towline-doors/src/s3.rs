//! The `s3` door: enough of S3's API for its own clients, and the place where the signed URLs of all doors lead when
//! clients do not reach the store themselves. `docs/protocols/s3.md` has the details.
//!
//! Requests are told apart by their signature or their bucket before any route is looked at: a bucket may stand in
//! the name of the host, and a key may look like any path.

mod address;
mod body;
mod bucket;
mod conditional;
mod copy;
mod foreign;
mod form;
mod guard;
mod list;
mod metadata;
mod multipart;
mod object;
mod open;
mod operation;
mod policy;
mod problem;
mod query;
mod second;
mod uploads;
mod xml;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use towline_core::policy::Principal;
use towline_core::upload::{Upload, UploadId};
use tracing::Span;
use utoipa_axum::router::OpenApiRouter;

use crate::DoorState;
use crate::desk::quoted;
use crate::door::{Door, speak_for};
use crate::entrance::RequestId;
use crate::refused::Refused;
use crate::settings::DoorKind;
use address::Address;
pub(crate) use conditional::Turns;
use guard::Signed;
use operation::{Asked, Operation, UploadName, no_such_bucket, not_text};
use problem::{ACCESS_DENIED, Denied, Place};
use query::Parameters;

#[derive(Debug)]
pub(crate) struct S3;

impl Door for S3 {
    fn name(&self) -> &'static str {
        DoorKind::S3.name()
    }

    /// None: see [`divert`].
    fn routes(&self) -> OpenApiRouter<DoorState> {
        OpenApiRouter::new()
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        let place = Place { resource: "", request_id: id.as_str(), is_head: false };
        Denied::from(refused.clone()).into_response(place)
    }
}

/// One believed request.
struct Visit {
    state: DoorState,
    signed: Signed,
    headers: HeaderMap,
    query: Parameters,
}

/// Whether a request is for this door, and the door is open.
pub(crate) fn is_for(request: &Request, state: &DoorState) -> bool {
    state.settings.doors.contains(&DoorKind::S3) && address::is_s3(request, &state.settings)
}

/// Takes the requests that are S3's out of the others.
pub(crate) async fn divert(
    State(state): State<DoorState>,
    id: RequestId,
    request: Request,
    next: Next,
) -> Response {
    if !is_for(&request, &state) {
        return next.run(request).await;
    }
    let answering = Box::pin(answer(state, &id, request));
    speak_for(&S3, &id, answering).await
}

async fn answer(state: DoorState, id: &RequestId, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let resource = parts.uri.path().to_owned();
    let place = Place { resource: &resource, request_id: id.as_str(), is_head: parts.method == Method::HEAD };
    let answered = Box::pin(serve(state, parts, body)).await;
    let mut response = answered.unwrap_or_else(|denied| denied.into_response(place));
    let value = HeaderValue::try_from(id.as_str()).expect("letters, digits and '._-' are a header's");
    response.headers_mut().insert("x-amz-request-id", value.clone());
    response.headers_mut().insert("x-amz-id-2", value);
    response
}

async fn serve(state: DoorState, parts: Parts, body: Body) -> Result<Response, Denied> {
    let query = Parameters::parse(parts.uri.query().unwrap_or(""));
    let address = Address::parse(&parts.headers, parts.uri.path(), &state.settings);
    let Address { bucket, key } = address.ok_or_else(not_text)?;
    let is_ours = bucket == state.settings.s3.bucket;
    if address::is_form(&parts.method, &parts.headers) && is_ours && key.is_none() {
        return form::post(state, &parts.headers, body).await;
    }
    if is_ours
        && let Some(key) = &key
        && open::is_open(&state, &parts)
    {
        return open::read(&state, &parts, key).await;
    }
    let signed = guard::admit(&state, &parts, &query).await?;
    let asked = Asked { method: &parts.method, query: &query, headers: &parts.headers };
    let operation = match (bucket.as_str(), &key) {
        ("", _) => asked.of_service()?,
        (_, _) if !is_ours => return Err(no_such_bucket(&bucket)),
        (_, None) => asked.of_bucket()?,
        (_, Some(key)) => asked.of_object(key)?,
    };
    permit(&signed, &operation)?;
    if operation.is_writing() {
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        // Clients that sign a URL put into its query what they would send in headers.
        foreign::check(headers.chain(query.pairs().map(|(name, value)| (name, value.as_bytes()))))?;
    }
    let visit = Visit { state, signed, headers: parts.headers, query };
    Box::pin(visit.perform(operation, body)).await
}

/// The key of one upload sends and finishes that upload, and looks whether its file is there.
fn permit(signed: &Signed, operation: &Operation) -> Result<(), Denied> {
    let Some(only) = &signed.only else { return Ok(()) };
    let is_permitted = match operation {
        Operation::Create(key) | Operation::Head(key) => only.key == *key,
        Operation::PutPart(name, _) | Operation::ListParts(name) | Operation::Complete(name) => {
            only.key == name.key && only.id == name.id
        }
        Operation::ListBuckets
        | Operation::HeadBucket
        | Operation::MakeBucket
        | Operation::Location
        | Operation::Versioning
        | Operation::Acl
        | Operation::Tagging
        | Operation::ListObjects
        | Operation::ListUploads
        | Operation::RemoveObjects
        | Operation::Get(_)
        | Operation::Put(_)
        | Operation::Copy(_)
        | Operation::CopyPart(..)
        | Operation::Remove(_)
        | Operation::RemoveNothing
        | Operation::Abort(_) => false,
    };
    if is_permitted { Ok(()) } else { Err(Denied::new(ACCESS_DENIED, "Access Denied")) }
}

impl Visit {
    async fn perform(self, operation: Operation, body: Body) -> Result<Response, Denied> {
        match operation {
            Operation::ListBuckets => Ok(self.list_buckets()),
            Operation::HeadBucket => Ok(self.head_bucket()),
            Operation::MakeBucket => Ok(self.make_bucket()),
            Operation::Location => Ok(self.location()),
            Operation::Versioning => Ok(bucket::versioning()),
            Operation::Acl => Ok(self.acl()),
            Operation::Tagging => Ok(bucket::tagging()),
            Operation::ListObjects => self.list_objects().await,
            Operation::ListUploads => self.list_uploads().await,
            Operation::RemoveObjects => self.remove_objects(body).await,
            Operation::Get(key) => self.get(key, false).await,
            Operation::Head(key) => self.get(key, true).await,
            Operation::Put(key) => Box::pin(self.put(key, body)).await,
            Operation::Copy(key) => Box::pin(self.copy(key)).await,
            Operation::Remove(key) => self.remove(&key).await,
            Operation::RemoveNothing => Ok(bucket::no_content()),
            Operation::Create(key) => Box::pin(self.create(key)).await,
            Operation::PutPart(name, number) => Box::pin(self.put_part(name, number, body)).await,
            Operation::CopyPart(name, number) => Box::pin(self.copy_part(name, number)).await,
            Operation::ListParts(name) => self.list_parts(name).await,
            Operation::Complete(name) => Box::pin(self.complete(name, body)).await,
            Operation::Abort(name) => Box::pin(self.abort(name)).await,
        }
    }

    fn who(&self) -> &Principal {
        &self.signed.who
    }

    fn bucket(&self) -> &str {
        &self.state.settings.s3.bucket
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The upload of this id and this key: neither alone will do.
    async fn upload(&self, name: &UploadName) -> Result<Upload, Denied> {
        note_upload(name.id);
        let upload = self.state.engine.head(self.who(), name.id).await?;
        if upload.key == name.key { Ok(upload) } else { Err(Denied::no_such_upload(&name.id.to_string())) }
    }
}

fn note_upload(id: UploadId) {
    Span::current().record("upload.id", tracing::field::display(id));
}

/// An S3 document as a reply.
fn document(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, kind);
    response
}
