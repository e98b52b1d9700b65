//! Where things are: the bucket's origin and the paths of objects.

use towline_core::error::{Fault, FaultKind};
use towline_sigv4::{Origin, encode_path};

use crate::settings::BucketSettings;

/// Names objects in one bucket.
#[derive(Clone, Debug)]
pub struct Address {
    pub origin: Origin,
    pub bucket: String,
    /// What comes before the object's name in a path: a slash, and the bucket where it is not in the host.
    base: String,
    /// Stands before every name.
    pub prefix: String,
}

impl Address {
    pub fn new(settings: &BucketSettings) -> Result<Self, Fault> {
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

    /// The name of an object, or what stands before the names of many.
    pub fn name(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    /// The path of an object, not encoded.
    pub fn path(&self, name: &str) -> String {
        [&self.base, name].concat()
    }

    /// The path of the bucket itself.
    pub fn bucket_path(&self) -> &str {
        if self.base == "/" { "/" } else { self.base.trim_end_matches('/') }
    }

    pub fn url(&self, name: &str) -> String {
        [self.origin.as_str(), &encode_path(&self.path(name))].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{S3Credentials, Surroundings};

    fn address(endpoint: Option<&str>, path_style: bool, bucket: &str) -> Address {
        let credentials = S3Credentials::Chain(Surroundings::default());
        let settings = BucketSettings {
            endpoint: endpoint.map(str::to_owned),
            path_style,
            prefix: "in/".to_owned(),
            ..BucketSettings::new(bucket, "eu-north-1", credentials)
        };
        Address::new(&settings).unwrap()
    }

    #[test]
    fn the_bucket_is_in_the_host_unless_it_must_be_in_the_path() {
        for (endpoint, path_style, bucket, url) in [
            (None, false, "box", "https://box.s3.eu-north-1.amazonaws.com/in/a%20b/%C3%BC%2B.bin"),
            (None, false, "my.box", "https://s3.eu-north-1.amazonaws.com/my.box/in/a%20b/%C3%BC%2B.bin"),
            (Some("http://127.0.0.1:3900"), true, "box", "http://127.0.0.1:3900/box/in/a%20b/%C3%BC%2B.bin"),
            (Some("https://s3.example/"), false, "box", "https://box.s3.example/in/a%20b/%C3%BC%2B.bin"),
        ] {
            let address = address(endpoint, path_style, bucket);
            assert_eq!(address.url(&address.name("a b/ü+.bin")), url);
        }
        assert_eq!(address(None, true, "box").bucket_path(), "/box");
        assert_eq!(address(None, false, "box").bucket_path(), "/");
    }
}
