//! Signed URLs and forms: clients carry bytes to the bucket themselves. Signing is computing, no IO.

use std::sync::Arc;

use http::Method;
use towline_core::key::Key;
use towline_core::store::{Form, Signer, Validity};
use towline_core::upload::{About, Upload};
use towline_s3::Address;
use towline_s3::client::moment;
use towline_sigv4::{Condition, Target};

use super::place::Room;

/// Signs with the credentials of the moment it was made at.
#[derive(Debug)]
pub(super) struct S3Signer {
    pub(super) signer: Arc<towline_sigv4::Signer>,
    pub(super) address: Address,
}

impl S3Signer {
    fn presign(
        &self,
        (method, name): (&Method, &str),
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        validity: Validity,
    ) -> String {
        let path = self.address.path(name);
        let origin = &self.address.origin;
        let target = Target { method: method.as_str(), origin, path: &path, query, headers };
        self.signer.presign(&target, moment(validity.from), validity.lasts)
    }
}

impl Signer for S3Signer {
    fn part_urls(&self, upload: &Upload, validity: Validity) -> Box<dyn Fn(u32) -> String + Send + Sync> {
        let room = Room::of(&upload.place).ok();
        let Some((name, s3_id)) = room.as_ref().and_then(|room| room.multipart(&self.address)) else {
            // A place of another store: an address without a signature, which no server takes.
            let location = self.location(&upload.key);
            return Box::new(move |_| location.clone());
        };
        let path = self.address.path(&name);
        let origin = &self.address.origin;
        let target = Target { method: "PUT", origin, path: &path, query: &[], headers: &[] };
        let urls = self.signer.parts(&target, s3_id, moment(validity.from), validity.lasts);
        Box::new(move |number| urls.url(number))
    }

    fn put_url(&self, key: &Key, content_type: Option<&str>, validity: Validity) -> String {
        let headers = content_type.map(|content_type| ("content-type", content_type));
        self.presign((&Method::PUT, &self.address.name(key.as_str())), &[], headers.as_slice(), validity)
    }

    fn get_url(&self, key: &Key, disposition: Option<&str>, validity: Validity) -> String {
        let query = disposition.map(|disposition| ("response-content-disposition", disposition));
        self.presign((&Method::GET, &self.address.name(key.as_str())), query.as_slice(), &[], validity)
    }

    fn form(&self, key: &Key, about: &About, size_bytes_max: u64, validity: Validity) -> Form {
        let name = self.address.name(key.as_str());
        let mut fields =
            vec![("key".to_owned(), name), ("success_action_status".to_owned(), "201".to_owned())];
        fields.extend(super::headers::about(about).into_iter().map(|(name, value)| match name.as_str() {
            "content-type" => ("Content-Type".to_owned(), value),
            _ => (name, value),
        }));
        let mut conditions: Vec<_> =
            fields.iter().map(|(name, value)| Condition::Equals(name.as_str(), value.as_str())).collect();
        conditions.push(Condition::Equals("bucket", &self.address.bucket));
        conditions.push(Condition::SizeBytes { min: 0, max: size_bytes_max });
        let from = moment(validity.from);
        let signed = self.signer.form(&conditions, from, from.after(validity.lasts));
        fields.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let path = self.address.bucket_path();
        Form { url: [self.address.origin.as_str(), path].concat(), fields }
    }

    fn location(&self, key: &Key) -> String {
        self.address.url(&self.address.name(key.as_str()))
    }

    fn bucket(&self) -> &str {
        &self.address.bucket
    }

    fn region(&self) -> &str {
        self.signer.region()
    }
}
