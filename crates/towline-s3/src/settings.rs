//! Which bucket, as whom, and with how much patience.

use std::time::Duration;

use crate::credentials::S3Credentials;

/// How a bucket is reached.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    pub bucket: String,
    pub region: String,
    /// `https://host` or `http://host:port`; AWS's own of the region when there is none.
    pub endpoint: Option<String>,
    /// The bucket is named in the path instead of the host.
    pub path_style: bool,
    pub credentials: S3Credentials,
    /// Stands before every name: a folder with its slash, or nothing.
    pub prefix: String,
    /// How many requests with bodies may be under way at once.
    pub bodies_max: usize,
    pub patience: Patience,
}

impl BucketSettings {
    /// A bucket with the usual settings.
    pub fn new(bucket: &str, region: &str, credentials: S3Credentials) -> Self {
        Self {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
            endpoint: None,
            path_style: false,
            credentials,
            prefix: String::new(),
            bodies_max: 16,
            patience: Patience::default(),
        }
    }
}

/// How long to wait, and how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub connect: Duration,
    /// Until an answer begins, and between two pieces of it.
    pub reply: Duration,
    /// The same of what takes a server long: completing and copying.
    pub slow_reply: Duration,
    /// All tries of one request together, beside the time that its bytes need.
    pub total: Duration,
    pub tries: u32,
    /// The longest wait before the second try; it doubles from try to try.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            reply: Duration::from_secs(30),
            slow_reply: Duration::from_mins(5),
            total: Duration::from_mins(2),
            tries: 5,
            pause: Duration::from_millis(200),
        }
    }
}
