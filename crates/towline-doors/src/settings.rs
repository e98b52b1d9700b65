//! What the binary decides for the doors.

use std::time::Duration;

use axum::http::HeaderValue;

use crate::auth::Authenticator;
use crate::cors::OriginPattern;

/// The doors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoorKind {
    Session,
    Downloads,
}

impl DoorKind {
    pub const ALL: [Self; 2] = [Self::Session, Self::Downloads];

    /// The word in settings and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Downloads => "downloads",
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
    /// Where clients reach this server, without a slash at the end; nothing makes URLs relative to the host.
    pub public_url: Option<String>,
    /// The longest request target taken.
    pub target_bytes_max: usize,
    /// The largest JSON body taken, and how long it may take to come.
    pub json_bytes_max: usize,
    pub json_wait: Duration,
    /// How many may watch uploads at once.
    pub watchers_max: usize,
    /// `Cache-Control` of downloads, for a CDN in front.
    pub download_cache: HeaderValue,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            doors: DoorKind::ALL.to_vec(),
            authenticator: Authenticator::Anonymous,
            cors_origins: OriginPattern::loopback(),
            drain: DrainBounds { bytes: 64 * 1024 * 1024, wait: Duration::from_secs(30) },
            public_url: None,
            target_bytes_max: 8 * 1024,
            json_bytes_max: 1024 * 1024,
            json_wait: Duration::from_secs(30),
            watchers_max: 1024,
            download_cache: HeaderValue::from_static("private, no-cache"),
        }
    }
}
