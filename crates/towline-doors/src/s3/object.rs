//! Whole files: read, sent, and the conditions under which they may be.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use towline_core::Error;
use towline_core::digest::{Algorithm, Digest};
use towline_core::engine::{Cut, Download, Order, PutPart};
use towline_core::key::Key;
use towline_core::upload::{Phase, Upload};

use super::body::{Intake, declared_digests};
use super::multipart::tell;
use super::problem::Denied;
use super::{Visit, metadata, note_upload};
use crate::declared::to_base64;
use crate::downloads::conditions::{Current, Verdict};
use crate::downloads::range::{self, Wanted};
use crate::downloads::{content_type, send};
use crate::json::empty;
use crate::moment::http_date;

/// What a request may say about the headers of its reply.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-content-type", CONTENT_TYPE),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-expires", EXPIRES),
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
];

/// How S3 names the content of a file.
pub(super) fn tag(download: &Download) -> String {
    let receipt = download.upload.as_ref().and_then(|upload| match &upload.phase {
        Phase::Sealed(receipt) => receipt.tag.clone(),
        Phase::Open | Phase::Disputed | Phase::Sealing | Phase::Abandoned(_) => None,
    });
    receipt.unwrap_or_else(|| download.object.version.clone())
}

impl Visit {
    pub(super) async fn get(self, key: Key, is_head: bool) -> Result<Response, Denied> {
        let download = self.state.engine.read(self.who(), key).await?;
        let current = Current::tagged(&tag(&download), download.object.modified_at);
        let Download { object, upload } = download;
        let size_bytes = object.size_bytes;
        let mut response = match current.judge(&self.headers) {
            Verdict::Failed => return Err(Denied::precondition("If-Match")),
            Verdict::NotModified => empty(StatusCode::NOT_MODIFIED),
            Verdict::Send => {
                let wanted = if current.admits_range(&self.headers) {
                    range::wanted(&self.headers, size_bytes)
                } else {
                    Wanted::Whole
                };
                let kind = content_type(upload.as_ref());
                let sent = send(wanted, size_bytes, object.reader, &kind)?;
                if is_head { sent.map(|_| Body::empty()) } else { sent }
            }
        };
        let is_whole = response.status() == StatusCode::OK;
        let head = response.headers_mut();
        put_text(head, &ETAG, &current.etag);
        put_text(head, &LAST_MODIFIED, &http_date(object.modified_at));
        head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(upload) = &upload {
            head.extend(metadata::headers(&upload.about));
            self.add_checksum(head, upload, is_whole);
        }
        for (name, header) in &OVERRIDES {
            if let Some(value) = self.query.text(name) {
                put_text(head, header, value);
            }
        }
        // Signed URLs are opened in browsers: whatever the file is, it runs nothing on our origin.
        head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let policy = HeaderValue::from_static("default-src 'none'; sandbox");
        head.insert(CONTENT_SECURITY_POLICY, policy);
        Ok(response)
    }

    /// The checksum of the whole, for clients that compare.
    fn add_checksum(&self, head: &mut HeaderMap, upload: &Upload, is_whole: bool) {
        let Phase::Sealed(receipt) = &upload.phase else { return };
        let is_wanted = self.header("x-amz-checksum-mode").is_some_and(|mode| mode == "ENABLED");
        if let Some(crc64) = receipt.crc64.filter(|_| is_whole && is_wanted) {
            let digest = to_base64(&Digest::of_crc64(crc64));
            put_text(head, &HeaderName::from_static("x-amz-checksum-crc64nvme"), &digest);
            let kind = HeaderValue::from_static("FULL_OBJECT");
            head.insert("x-amz-checksum-type", kind);
        }
    }

    pub(super) async fn put(self, key: Key, body: Body) -> Result<Response, Denied> {
        // The condition is looked at before the body is read as well: it may spare the sending.
        self.check_conditions(&key).await?;
        let declared = declared_digests(&self.headers)?;
        let mut intake = Intake::new(&self.signed, declared, &self.headers, body)?.measured()?;
        let about = metadata::about(&self.headers, &key)?;
        let order = Order { key, cut: Cut::Free, total_bytes: intake.size_bytes, about };
        let sealed = if self.is_conditional() {
            Box::pin(self.put_conditionally(order, &mut intake)).await?
        } else {
            let declared = intake.declared.clone();
            let put = self.state.engine.put_object(self.who(), (order, declared), intake.frames.as_mut());
            Box::pin(put).await.map_err(|error| intake.denied(error))?
        };
        note_upload(sealed.id);
        let mut response = empty(StatusCode::OK);
        if let Phase::Sealed(receipt) = &sealed.phase {
            let tag = receipt.tag.as_deref().unwrap_or(&receipt.version);
            tell(response.headers_mut(), tag, &intake);
        }
        Ok(response)
    }

    /// As a whole file is put, but what is there is looked at again between the bytes and the publishing.
    async fn put_conditionally(&self, order: Order, intake: &mut Intake) -> Result<Upload, Denied> {
        let (engine, key) = (&self.state.engine, order.key.clone());
        let size_bytes = order.total_bytes;
        let id = engine.create(self.who(), order).await?.upload.id;
        let declared = intake.declared.clone();
        let put = PutPart { id, number: 1, size_bytes, declared, computed: vec![Algorithm::Md5] };
        let landed = Box::pin(engine.put_part(self.who(), put, intake.frames.as_mut())).await;
        let sealed = match landed {
            Err(error) => Err(intake.denied(error)),
            Ok(_) => match self.turn(&key).await {
                Err(denied) => Err(denied),
                Ok(_turn) => match engine.finish(self.who(), id).await {
                    // A seal that broke off is finished later: the file may be visible already.
                    Err(Error::Failed(fault)) => return Err(Error::Failed(fault).into()),
                    finished => finished.map_err(Denied::from),
                },
            },
        };
        if sealed.is_err() {
            // What cannot be given up now is swept later.
            engine.abandon(self.who(), id).await.ok();
        }
        sealed
    }
}

/// A value that no header can hold is left out.
fn put_text(head: &mut HeaderMap, name: &HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        head.insert(name, value);
    }
}
