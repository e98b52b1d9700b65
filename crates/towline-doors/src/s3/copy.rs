//! A file copied within the bucket: read and put again, for clients that change what is said of a file that way.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use axum::response::Response;
use futures_util::StreamExt as _;
use towline_core::engine::{BodyEnd, Cut, Order};
use towline_core::key::Key;
use towline_core::upload::{About, Phase};

use super::object::tag;
use super::operation::no_such_bucket;
use super::problem::{Denied, ENTITY_TOO_LARGE, INVALID_ARGUMENT, INVALID_REQUEST};
use super::xml::Element;
use super::{Visit, document, metadata, note_upload, quoted};
use crate::downloads::conditions::{Current, Verdict};
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
        let download = self.state.engine.read(self.who(), source).await?;
        let current = Current::tagged(&tag(&download), download.object.modified_at);
        if current.judge(&self.source_conditions()) != Verdict::Send {
            return Err(Denied::precondition("x-amz-copy-source-If-Match"));
        }
        let size_bytes = download.object.size_bytes;
        let allowed_bytes = self.state.engine.limits().part_bytes_max;
        if size_bytes > allowed_bytes {
            let message = format!("The copy source is larger than the {allowed_bytes} bytes of one request");
            return Err(Denied::new(ENTITY_TOO_LARGE, message));
        }
        let about = match download.upload {
            Some(upload) if !replaces => copied(upload.about, &key),
            Some(_) | None => metadata::about(&self.headers, &key)?,
        };
        let order = Order { key, cut: Cut::Free, total_bytes: Some(size_bytes), about };
        let mut body = download.object.reader.read(0..size_bytes).map(|frame| {
            frame.map_err(|fault| {
                log_fault(&fault);
                BodyEnd::Cut
            })
        });
        let body = std::pin::Pin::new(&mut body);
        let sealed = self.state.engine.put_object(self.who(), (order, Vec::new()), body);
        let sealed = Box::pin(sealed).await?;
        note_upload(sealed.id);
        let mut done = Element::reply("CopyObjectResult");
        if let Phase::Sealed(receipt) = &sealed.phase {
            let tag = receipt.tag.as_deref().unwrap_or(&receipt.version);
            done = done.text("LastModified", &rfc3339(receipt.sealed_at)).text("ETag", &quoted(tag));
        }
        Ok(document(done.end()))
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

/// What is said of the copied file is said of the copy.
fn copied(about: About, key: &Key) -> About {
    let About { content_type, metadata, .. } = about;
    About { filename: key.file_name().to_owned(), content_type, metadata, ..About::default() }
}
