//! Files and parts copied within the bucket: read and put again, for clients that rename files, or change what is said
//! of them, that way.

use std::ops::Range;
use std::pin::Pin;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use towline_core::digest::Algorithm;
use towline_core::engine::{BodyEnd, Cut, Download, Order, PutPart};
use towline_core::key::Key;
use towline_core::store::ObjectReader;
use towline_core::upload::{About, Phase};
use tracing::Span;

use super::multipart::check_takes_parts;
use super::object::tag;
use super::operation::{UploadName, no_such_bucket};
use super::problem::{Denied, ENTITY_TOO_LARGE, INVALID_ARGUMENT, INVALID_REQUEST};
use super::xml::Element;
use super::{Visit, document, metadata, note_upload, quoted};
use crate::downloads::conditions::{Current, Verdict};
use crate::json::whole_number;
use crate::moment::rfc3339;
use crate::refused::log_fault;

const CONDITIONS: [(&str, HeaderName); 4] = [
    ("x-amz-copy-source-if-match", IF_MATCH),
    ("x-amz-copy-source-if-none-match", IF_NONE_MATCH),
    ("x-amz-copy-source-if-modified-since", IF_MODIFIED_SINCE),
    ("x-amz-copy-source-if-unmodified-since", IF_UNMODIFIED_SINCE),
];

impl Visit {
    pub(super) async fn copy(self, key: Key) -> Result<Response, Denied> {
        if self.is_conditional() {
            return Err(Denied::not_implemented("If-Match or If-None-Match on CopyObject"));
        }
        let source = self.source()?;
        let replaces = self.header("x-amz-metadata-directive") == Some("REPLACE");
        if source == key && !replaces {
            let message = "This copy request is illegal because it is trying to copy an object to itself without \
                           changing the object's metadata.";
            return Err(Denied::new(INVALID_REQUEST, message));
        }
        let download = self.open_source(source).await?;
        let size_bytes = download.object.size_bytes;
        self.check_fits(size_bytes)?;
        let about = match download.upload {
            Some(upload) if !replaces => copied(upload.about, &key),
            Some(_) | None => metadata::about(&self.headers, &key)?,
        };
        let order = Order { key, cut: Cut::Free, total_bytes: Some(size_bytes), about };
        let mut body = body_of(&*download.object.reader, 0..size_bytes);
        let sealed = self.state.engine.put_object(self.who(), (order, Vec::new()), body.as_mut());
        let sealed = Box::pin(sealed).await?;
        note_upload(sealed.id);
        let mut done = Element::reply("CopyObjectResult");
        if let Phase::Sealed(receipt) = &sealed.phase {
            let tag = receipt.tag.as_deref().unwrap_or(&receipt.version);
            done = done.text("LastModified", &rfc3339(receipt.sealed_at)).text("ETag", &quoted(tag));
        }
        Ok(document(done.end()))
    }

    pub(super) async fn copy_part(self, name: UploadName, number: u64) -> Result<Response, Denied> {
        Span::current().record("part.number", number);
        check_takes_parts(&self.upload(&name).await?)?;
        let download = self.open_source(self.source()?).await?;
        let bytes = self.source_range(download.object.size_bytes)?;
        let size_bytes = bytes.end - bytes.start;
        self.check_fits(size_bytes)?;
        let put = PutPart {
            id: name.id,
            number,
            size_bytes: Some(size_bytes),
            declared: Vec::new(),
            computed: vec![Algorithm::Md5],
        };
        let mut body = body_of(&*download.object.reader, bytes);
        let landed = self.state.engine.put_part(self.who(), put, body.as_mut());
        let landed = Box::pin(landed).await?;
        Span::current().record("size_bytes", size_bytes);
        let done = Element::reply("CopyPartResult")
            .text("LastModified", &rfc3339(landed.part.landed_at))
            .text("ETag", &quoted(&self.state.engine.part_tag(&landed.part)));
        Ok(document(done.end()))
    }

    async fn open_source(&self, source: Key) -> Result<Download, Denied> {
        let download = self.state.engine.read(self.who(), source).await?;
        let current = Current::tagged(&tag(&download), download.object.modified_at);
        if current.judge(&self.source_conditions()) != Verdict::Send {
            return Err(Denied::precondition("x-amz-copy-source-If-Match"));
        }
        Ok(download)
    }

    fn check_fits(&self, size_bytes: u64) -> Result<(), Denied> {
        let allowed_bytes = self.state.engine.limits().part_bytes_max;
        if size_bytes > allowed_bytes {
            let message = format!("The copy source is larger than the {allowed_bytes} bytes of one request");
            return Err(Denied::new(ENTITY_TOO_LARGE, message));
        }
        Ok(())
    }

    /// `bytes=first-last`, both within the source; nothing means all of it.
    fn source_range(&self, size_bytes: u64) -> Result<Range<u64>, Denied> {
        let Some(text) = self.header("x-amz-copy-source-range") else { return Ok(0..size_bytes) };
        let ends = text.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
        let ends = ends.and_then(|(first, last)| Some((whole_number(first)?, whole_number(last)?)));
        match ends {
            Some((first, last)) if first <= last && last < size_bytes => Ok(first..last + 1),
            Some(_) | None => {
                let message = format!(
                    "Range specified is not valid for source object of size: {size_bytes}; give bytes=first-last"
                );
                Err(Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", "x-amz-copy-source-range"))
            }
        }
    }

    /// `/bucket/key` or `bucket/key`, encoded.
    fn source(&self) -> Result<Key, Denied> {
        let text = self.header("x-amz-copy-source").unwrap_or("");
        let (path, version) = text.split_once("?versionId=").unwrap_or((text, "null"));
        if version != "null" {
            return Err(Denied::not_implemented("versionId"));
        }
        let decoded = towline_sigv4::decode_path(path.strip_prefix('/').unwrap_or(path));
        let decoded = str::from_utf8(&decoded).ok().and_then(|decoded| decoded.split_once('/'));
        let (bucket, key) = decoded.ok_or_else(|| {
            let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
            Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", "x-amz-copy-source")
        })?;
        if bucket != self.bucket() {
            return Err(no_such_bucket(bucket));
        }
        Key::parse(key).map_err(|_| Denied::no_such_key(key))
    }

    fn source_conditions(&self) -> HeaderMap {
        let found = CONDITIONS
            .iter()
            .filter_map(|(name, plain)| Some((plain.clone(), self.headers.get(*name)?.clone())));
        found.collect()
    }
}

/// What is read, as if a client sent it.
fn body_of(
    reader: &dyn ObjectReader,
    bytes: Range<u64>,
) -> Pin<Box<dyn Stream<Item = Result<Bytes, BodyEnd>> + Send>> {
    Box::pin(reader.read(bytes).map(|frame| {
        frame.map_err(|fault| {
            log_fault(&fault);
            BodyEnd::Cut
        })
    }))
}

/// What is said of the copied file is said of the copy.
fn copied(about: About, key: &Key) -> About {
    let About { content_type, metadata, .. } = about;
    About { filename: key.file_name().to_owned(), content_type, metadata, ..About::default() }
}
