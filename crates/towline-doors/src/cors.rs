//! Which pages may call from a browser: an allow-list of origins.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use thiserror::Error;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// An origin, or a family of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    Any,
    Exactly(String),
    /// `scheme://host:*`: every port of that host, and the scheme's own.
    AnyPort(String),
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no origin: give \"*\", \"https://host\", \"https://host:port\" or \"http://host:*\"")]
pub struct BadOrigin(String);

impl OriginPattern {
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let bad = || BadOrigin(text.to_owned());
        let (scheme, host) = text.split_once("://").ok_or_else(bad)?;
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"/*?#@\"\\".contains(&byte))
        };
        let (stem, is_any_port) = match host.strip_suffix(":*") {
            Some(stem) => (stem, true),
            None => (host, false),
        };
        if !is_plain(scheme) || !is_plain(stem) {
            return Err(bad());
        }
        Ok(if is_any_port {
            Self::AnyPort(format!("{scheme}://{stem}").to_ascii_lowercase())
        } else {
            Self::Exactly(text.to_ascii_lowercase())
        })
    }

    /// Pages that are served on this machine.
    pub fn loopback() -> Vec<Self> {
        ["http://localhost", "http://127.0.0.1"].map(|stem| Self::AnyPort(stem.to_owned())).to_vec()
    }

    fn admits(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(exactly) => origin.eq_ignore_ascii_case(exactly),
            Self::AnyPort(stem) => origin.split_at_checked(stem.len()).is_some_and(|(start, rest)| {
                let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
                start.eq_ignore_ascii_case(stem)
                    && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
            }),
        }
    }
}

/// What a page may read of a reply, beside what it always may.
const EXPOSED: [&str; 26] = [
    "etag",
    "location",
    "upload-offset",
    "upload-length",
    "upload-metadata",
    "upload-expires",
    "upload-complete",
    "upload-limit",
    "tus-resumable",
    "tus-version",
    "tus-extension",
    "tus-max-size",
    "tus-checksum-algorithm",
    "x-request-id",
    "retry-after",
    "content-range",
    "content-disposition",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-bucket-region",
];

pub(crate) fn layer(patterns: &[OriginPattern]) -> CorsLayer {
    let patterns = patterns.to_vec();
    let origins = AllowOrigin::predicate(move |origin: &HeaderValue, _: &Parts| {
        origin.to_str().is_ok_and(|origin| patterns.iter().any(|pattern| pattern.admits(origin)))
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(Duration::from_hours(1))
}

/// What a page that asks may send. Preflights are answered with whatever they ask for.
const ALLOWED: &str =
    "accept, authorization, content-type, uppy-auth-token, uppy-credentials-params, uppy-versions";

/// Uppy's clients up to 3.6 ask with an OPTIONS of their own, which is no preflight, which headers they may send, and
/// leave out all others: their token, too.
pub(crate) async fn answer_uppy(request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let is_asking = request.method() == Method::OPTIONS && !is_preflight;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if is_asking && headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
        let exposed = HeaderValue::from_static("access-control-allow-headers");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(pattern: &str, origin: &str) -> bool {
        OriginPattern::parse(pattern).unwrap().admits(origin)
    }

    #[test]
    fn a_pattern_admits_its_origins_and_no_lookalike() {
        assert!(admits("*", "https://anywhere.example"));
        assert!(admits("https://app.example", "https://app.example"));
        assert!(!admits("https://app.example", "https://app.example.evil.test"));
        assert!(!admits("https://app.example", "http://app.example"));
        for origin in ["http://localhost", "http://localhost:5173", "http://LOCALHOST:1"] {
            assert!(admits("http://localhost:*", origin), "{origin}");
        }
        for origin in
            ["http://localhost.evil.test", "http://localhost:80@evil.test", "https://localhost:1", "null", ""]
        {
            assert!(!admits("http://localhost:*", origin), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_when_it_is_read() {
        for bad in ["", "localhost", "https://", "https://a/b", "https://*.example", "://a", "a://b@c"] {
            assert!(OriginPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
