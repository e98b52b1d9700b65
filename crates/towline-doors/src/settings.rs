//! What the binary decides for the doors.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use towline_sigv4::Credentials;

use crate::auth::Authenticator;
use crate::cors::OriginPattern;
use crate::keyring::Keyring;

/// The doors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoorKind {
    Session,
    Downloads,
    S3,
    Presign,
    Multipart,
    Simple,
    SigningKey,
    Companion,
}

impl DoorKind {
    pub const ALL: [Self; 8] = [
        Self::Session,
        Self::Downloads,
        Self::S3,
        Self::Presign,
        Self::Multipart,
        Self::Simple,
        Self::SigningKey,
        Self::Companion,
    ];

    /// The word in settings and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Downloads => "downloads",
            Self::S3 => "s3",
            Self::Presign => "presign",
            Self::Multipart => "multipart",
            Self::Simple => "simple",
            Self::SigningKey => "signing_key",
            Self::Companion => "companion",
        }
    }
}

/// What the `s3` door is called, and who may sign. The URLs of all doors are made by it.
#[derive(Clone, Debug)]
pub struct S3DoorSettings {
    pub bucket: String,
    pub region: String,
    pub keyring: Arc<Keyring>,
    /// How long a signed URL holds when nobody says otherwise.
    pub url_lifetime: Duration,
}

impl Default for S3DoorSettings {
    fn default() -> Self {
        Self {
            bucket: "towline".to_owned(),
            region: "us-east-1".to_owned(),
            keyring: Arc::default(),
            url_lifetime: Duration::from_mins(15),
        }
    }
}

/// How much of a refused request's body is read before its answer goes out: a browser reads an answer only after
/// its body is sent, and closing at once would lose the answer to a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainBounds {
    pub bytes: u64,
    pub wait: Duration,
}

/// How the doors behave.
#[derive(Clone, Debug)]
pub struct DoorSettings {
    /// Those that are open.
    pub doors: Vec<DoorKind>,
    pub authenticator: Authenticator,
    /// Pages of these origins may call from a browser.
    pub cors_origins: Vec<OriginPattern>,
    pub drain: DrainBounds,
    /// Where clients reach this server, without a slash at the end; where it
    /// is not set, a request's host is taken for it.
    pub public_url: Option<String>,
    /// A proxy in front says in `X-Forwarded-Host` and `X-Forwarded-Proto` where a request came to, and lets no
    /// client say it.
    pub trusts_forwarded: bool,
    /// The longest request target taken.
    pub target_bytes_max: usize,
    /// The largest JSON body taken, and how long it may take to come.
    pub json_bytes_max: usize,
    pub json_wait: Duration,
    /// How many may watch uploads at once.
    pub watchers_max: usize,
    /// `Cache-Control` of downloads, for a CDN in front.
    pub download_cache: HeaderValue,
    pub s3: S3DoorSettings,
    /// What the `signing_key` door hands out where clients reach the store themselves: keys of a user of the
    /// store that may write parts there and nothing else.
    pub restricted_key: Option<Credentials>,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            doors: DoorKind::ALL.to_vec(),
            authenticator: Authenticator::Anonymous,
            cors_origins: OriginPattern::loopback(),
            drain: DrainBounds { bytes: 64 * 1024 * 1024, wait: Duration::from_secs(30) },
            public_url: None,
            trusts_forwarded: false,
            target_bytes_max: 8 * 1024,
            json_bytes_max: 1024 * 1024,
            json_wait: Duration::from_secs(30),
            watchers_max: 1024,
            download_cache: HeaderValue::from_static("private, no-cache"),
            s3: S3DoorSettings::default(),
            restricted_key: None,
        }
    }
}
