//! Uploads in parts: begun, sent, listed, completed, aborted.

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use towline_core::crc64::Joined;
use towline_core::digest::{Algorithm, Digest};
use towline_core::engine::{Claimed, Cut, Order, PutPart};
use towline_core::key::Key;
use towline_core::upload::{Part, Phase, Upload};
use tracing::Span;

use super::body::{Intake, declared_digests};
use super::bucket::no_content;
use super::operation::UploadName;
use super::problem::{BAD_DIGEST, Denied, INVALID_DIGEST, INVALID_REQUEST};
use super::xml::{Element, completion};
use super::{Visit, document, metadata, note_upload, quoted};
use crate::declared::to_base64;
use crate::json::{empty, whole_number};
use crate::moment::rfc3339;

/// The most parts of one page.
const PAGE: usize = 1000;
/// 10,000 parts as the most talkative client names them.
const COMPLETION_BYTES_MAX: usize = 2 * 1024 * 1024;
const CRC64: &str = "x-amz-checksum-crc64nvme";

/// What the client says of the whole when it completes it.
struct Whole {
    crc64: Option<Digest>,
    size_bytes: Option<u64>,
}

impl Visit {
    pub(super) async fn create(self, key: Key) -> Result<Response, Denied> {
        let about = metadata::about(&self.headers, &key)?;
        // The key of one upload finds that upload begun.
        let id = if let Some(upload) = &self.signed.only {
            upload.id
        } else {
            let order = Order { key: key.clone(), cut: Cut::Free, total_bytes: None, about };
            self.state.engine.create(self.who(), order).await?.upload.id
        };
        note_upload(id);
        let begun = Element::reply("InitiateMultipartUploadResult")
            .text("Bucket", self.bucket())
            .text("Key", key.as_str())
            .text("UploadId", &id.to_string());
        Ok(document(begun.end()))
    }

    pub(super) async fn put_part(
        self,
        name: UploadName,
        number: u64,
        body: Body,
    ) -> Result<Response, Denied> {
        Span::current().record("part.number", number);
        let upload = self.upload(&name).await?;
        check_takes_parts(&upload)?;
        let declared = declared_digests(&self.headers)?;
        let mut intake = Intake::new(&self.signed, declared, &self.headers, body)?.measured()?;
        let put = PutPart {
            id: name.id,
            number,
            size_bytes: intake.size_bytes,
            declared: std::mem::take(&mut intake.declared),
            computed: vec![Algorithm::Md5],
        };
        intake.declared.clone_from(&put.declared);
        let landed = self.state.engine.put_part(self.who(), put, intake.frames.as_mut()).await;
        let landed = landed.map_err(|error| intake.denied(error))?;
        Span::current().record("size_bytes", landed.part.size_bytes);
        let mut response = empty(StatusCode::OK);
        tell(response.headers_mut(), &self.state.engine.part_tag(&landed.part), &intake);
        Ok(response)
    }

    pub(super) async fn list_parts(self, name: UploadName) -> Result<Response, Denied> {
        let upload = self.upload(&name).await?;
        check_takes_parts(&upload)?;
        let limit = self.query.number("max-parts")?.unwrap_or(PAGE as u64).min(PAGE as u64);
        let after = self.query.number("part-number-marker")?.unwrap_or(0);
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let limit = usize::try_from(limit).unwrap_or(PAGE);
        let engine = &self.state.engine;
        let parts = match limit {
            0 => Vec::new(),
            limit => engine.parts(self.who(), name.id, (after, limit)).await?,
        };
        let last = parts.last().map(|part| part.number);
        let has_more = match last {
            Some(last) if parts.len() == limit => {
                !engine.parts(self.who(), name.id, (last, 1)).await?.is_empty()
            }
            Some(_) | None => false,
        };
        let mut listed = Element::reply("ListPartsResult")
            .text("Bucket", self.bucket())
            .text("Key", name.key.as_str())
            .text("UploadId", &name.id.to_string())
            .person("Initiator", &upload.owner)
            .person("Owner", &upload.owner)
            .text("StorageClass", "STANDARD")
            .number("PartNumberMarker", after.into())
            .number("NextPartNumberMarker", last.unwrap_or(after).into())
            .number("MaxParts", limit as u64)
            .claim("IsTruncated", has_more);
        for part in &parts {
            listed = listed
                .open("Part")
                .number("PartNumber", part.number.into())
                .text("LastModified", &rfc3339(part.landed_at))
                .text("ETag", &quoted(&engine.part_tag(part)))
                .number("Size", part.size_bytes)
                .close();
        }
        Ok(document(listed.end()))
    }

    pub(super) async fn complete(self, name: UploadName, body: Body) -> Result<Response, Denied> {
        let upload = self.upload(&name).await?;
        // Other digests speak of the whole, not of this body.
        let of_body = only(&self.headers, "content-md5");
        let intake = Intake::new(&self.signed, declared_digests(&of_body)?, &self.headers, body)?;
        let listed = completion(&intake.collect(&self.state, COMPLETION_BYTES_MAX).await?)?;
        let whole = Whole::read(&self.headers)?;
        let upload = match upload.phase {
            Phase::Sealed(_) => upload,
            Phase::Abandoned(_) => return Err(Denied::no_such_upload(&name.id.to_string())),
            // A seal that was begun is gone on with: what is there may be its own file.
            Phase::Sealing => {
                self.check_whole(&upload, &listed, &whole).await?;
                self.state.engine.finish_listed(self.who(), name.id, listed).await?
            }
            Phase::Open | Phase::Disputed => {
                self.check_whole(&upload, &listed, &whole).await?;
                let _turn = self.turn(&name.key).await?;
                self.state.engine.finish_listed(self.who(), name.id, listed).await?
            }
        };
        self.completed(&name.key, &upload).await
    }

    async fn completed(&self, key: &Key, upload: &Upload) -> Result<Response, Denied> {
        let Phase::Sealed(receipt) = &upload.phase else {
            return Err(Denied::no_such_upload(&upload.id.to_string()));
        };
        let tag = quoted(receipt.tag.as_deref().unwrap_or(&receipt.version));
        let crc64 = receipt.crc64.map(|crc64| to_base64(&Digest::of_crc64(crc64)));
        let links = self.state.links(&self.headers, self.who()).await;
        let location =
            links.map_or_else(|_| format!("/{}/{key}", self.bucket()), |links| links.location(key));
        let done = Element::reply("CompleteMultipartUploadResult")
            .text("Location", &location)
            .text("Bucket", self.bucket())
            .text("Key", key.as_str())
            .text("ETag", &tag)
            .maybe("ChecksumCRC64NVME", crc64.as_deref())
            .maybe("ChecksumType", crc64.as_ref().map(|_| "FULL_OBJECT"));
        Ok(document(done.end()))
    }

    /// Compares what the client says of the whole with what its parts add up to, before anything is visible.
    async fn check_whole(&self, upload: &Upload, listed: &[Claimed], whole: &Whole) -> Result<(), Denied> {
        if whole.crc64.is_none() && whole.size_bytes.is_none() {
            return Ok(());
        }
        let (mut joined, mut size_bytes, mut after) = (Some(Joined::default()), 0, 0);
        loop {
            let page = self.state.engine.parts(self.who(), upload.id, (after, PAGE)).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            let is_listed = |part: &&Part| {
                listed.binary_search_by_key(&u64::from(part.number), |claimed| claimed.number).is_ok()
            };
            for part in page.iter().filter(is_listed) {
                size_bytes += part.size_bytes;
                joined = joined.zip(part.crc64).map(|(mut joined, crc64)| {
                    joined.push(crc64, part.size_bytes);
                    joined
                });
            }
        }
        if whole.size_bytes.is_some_and(|declared| declared != size_bytes) {
            let message = "The provided 'x-amz-mp-object-size' header does not match what was computed.";
            return Err(Denied::new(INVALID_REQUEST, message));
        }
        let known = joined.map(|joined| Digest::of_crc64(joined.crc64()));
        match (known, &whole.crc64) {
            (Some(known), Some(declared)) if known != *declared => {
                let message = "The CRC64NVME you specified did not match the calculated checksum.";
                Err(Denied::new(BAD_DIGEST, message))
            }
            (_, _) => Ok(()),
        }
    }

    pub(super) async fn abort(self, name: UploadName) -> Result<Response, Denied> {
        let upload = self.upload(&name).await?;
        check_takes_parts(&upload)?;
        self.state.engine.abandon(self.who(), name.id).await?;
        Ok(no_content())
    }
}

impl Whole {
    fn read(headers: &HeaderMap) -> Result<Self, Denied> {
        let of_whole = only(headers, CRC64);
        let size_bytes = match headers.get("x-amz-mp-object-size") {
            None => None,
            Some(text) => {
                let size = text.to_str().ok().and_then(whole_number);
                Some(size.ok_or_else(|| {
                    Denied::new(INVALID_DIGEST, "The x-amz-mp-object-size header is not a number")
                })?)
            }
        };
        Ok(Self { crc64: declared_digests(&of_whole)?.pop(), size_bytes })
    }
}

fn only(headers: &HeaderMap, name: &'static str) -> HeaderMap {
    let mut found = HeaderMap::new();
    if let Some(value) = headers.get(name) {
        found.insert(name, value.clone());
    }
    found
}

/// S3 forgets an upload when it ends.
pub(super) fn check_takes_parts(upload: &Upload) -> Result<(), Denied> {
    match &upload.phase {
        Phase::Open | Phase::Disputed | Phase::Sealing => Ok(()),
        Phase::Sealed(_) | Phase::Abandoned(_) => Err(Denied::no_such_upload(&upload.id.to_string())),
    }
}

/// The tag of what came, and the checksums that were found true.
pub(super) fn tell(headers: &mut HeaderMap, tag: &str, intake: &Intake) {
    headers.extend(HeaderValue::try_from(quoted(tag)).ok().map(|tag| (ETAG, tag)));
    for (name, digest) in intake.proven() {
        let value = HeaderValue::try_from(to_base64(&digest)).expect("base64 is plain ASCII");
        headers.insert(name, value);
    }
}
