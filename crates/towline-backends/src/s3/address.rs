//! Where things are: the bucket's origin, the paths of objects, and the corner of the bucket that is the store's own.

use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::upload::UploadId;
use towline_sigv4::{Origin, encode_path};

/// The folder of what is ours alone: files that gather, tails, probes.
pub(super) const OWN: &str = ".towline/";

/// Names objects in one bucket.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) origin: Origin,
    pub(super) bucket: String,
    /// What comes before the object's name in a path: a slash, and the bucket where it is not in the host.
    base: String,
    /// Stands before every key.
    prefix: String,
}

impl Address {
    pub(super) fn new(settings: &super::S3Settings) -> Result<Self, Fault> {
        let bucket = settings.bucket.clone();
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com", settings.region),
        };
        // A dot in a bucket's name does not fit the certificate of the host that has it as its first label.
        let is_in_path = settings.path_style || bucket.contains('.');
        let text = match endpoint.split_once("://") {
            Some((scheme, host)) if !is_in_path => format!("{scheme}://{bucket}.{host}"),
            Some(_) | None => endpoint,
        };
        let origin = Origin::parse(&text)
            .map_err(|error| Fault::new(FaultKind::Internal, "reading the endpoint", error))?;
        let base = if is_in_path { format!("/{bucket}/") } else { "/".to_owned() };
        Ok(Self { origin, bucket, base, prefix: settings.prefix.clone() })
    }

    /// The name of a key's object.
    pub(super) fn name(&self, key: &Key) -> String {
        [&self.prefix, key.as_str()].concat()
    }

    /// The key of an object, where it is one that a client may name.
    pub(super) fn key(&self, name: &str) -> Option<Key> {
        let key = name.strip_prefix(&self.prefix)?;
        Key::parse(key).ok()
    }

    /// Before all names of a kind of keys.
    pub(super) fn before(&self, text: &str) -> String {
        [&self.prefix, text].concat()
    }

    /// The path of an object, not encoded.
    pub(super) fn path(&self, name: &str) -> String {
        [&self.base, name].concat()
    }

    /// The path of the bucket itself.
    pub(super) fn bucket_path(&self) -> &str {
        if self.base == "/" { "/" } else { self.base.trim_end_matches('/') }
    }

    pub(super) fn url(&self, name: &str) -> String {
        [self.origin.as_str(), &encode_path(&self.path(name))].concat()
    }

    /// The folder of all that is the store's own.
    pub(super) fn own(&self) -> String {
        self.before(OWN)
    }

    /// The folder of one upload's own things.
    pub(super) fn folder(&self, id: UploadId) -> String {
        format!("{}{OWN}{id}/", self.prefix)
    }

    /// The folder of the tails of an upload that gathers under its key.
    pub(super) fn tails(&self, fold: &str) -> String {
        format!("{}{OWN}{fold}/", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Settings;

    fn address(endpoint: Option<&str>, path_style: bool, bucket: &str) -> Address {
        let settings = S3Settings {
            endpoint: endpoint.map(str::to_owned),
            path_style,
            prefix: "in/".to_owned(),
            ..S3Settings::new(bucket, "eu-north-1")
        };
        Address::new(&settings).unwrap()
    }

    #[test]
    fn the_bucket_is_in_the_host_unless_it_must_be_in_the_path() {
        let key = Key::parse("a b/ü+.bin").unwrap();
        for (endpoint, path_style, bucket, url) in [
            (None, false, "box", "https://box.s3.eu-north-1.amazonaws.com/in/a%20b/%C3%BC%2B.bin"),
            (None, false, "my.box", "https://s3.eu-north-1.amazonaws.com/my.box/in/a%20b/%C3%BC%2B.bin"),
            (Some("http://127.0.0.1:3900"), true, "box", "http://127.0.0.1:3900/box/in/a%20b/%C3%BC%2B.bin"),
            (Some("https://s3.example/"), false, "box", "https://box.s3.example/in/a%20b/%C3%BC%2B.bin"),
        ] {
            let address = address(endpoint, path_style, bucket);
            assert_eq!(address.url(&address.name(&key)), url);
        }
        assert_eq!(address(None, true, "box").bucket_path(), "/box");
        assert_eq!(address(None, false, "box").bucket_path(), "/");
    }

    #[test]
    fn what_is_our_own_is_no_key() {
        let address = address(None, false, "box");
        assert_eq!(address.key("in/a").unwrap().as_str(), "a");
        for name in ["a", "in/.towline/x", "in/.towline", "in/a/", "in/a//b", "in/"] {
            assert_eq!(address.key(name), None, "{name}");
        }
        assert!(address.key("in/.towlines").is_some());
    }
}
