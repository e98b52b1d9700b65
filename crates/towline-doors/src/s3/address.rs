//! Which requests are S3's, and what they are about: the bucket and the key, by path or by the name of the host.
//! Pure.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use towline_sigv4::{decode_path, decode_query};

use crate::links::{Base, asked_host};
use crate::settings::DoorSettings;

/// What a request is about. An empty bucket means the service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) bucket: String,
    /// Percent-decoded once: a plus is a plus.
    pub(super) key: Option<String>,
}

/// Whether a request belongs to this door: it is signed as S3's are, or it names the bucket.
pub(crate) fn is_s3(request: &Request, settings: &DoorSettings) -> bool {
    let (headers, path) = (request.headers(), request.uri().path());
    is_signed(headers, request.uri().query().unwrap_or(""))
        || split(path).0 == settings.s3.bucket
        || (is_form(request.method(), headers) && path == "/" && Address::is_virtual(headers, path, settings))
}

pub(super) fn is_signed(headers: &HeaderMap, query: &str) -> bool {
    let by_header = headers.get(AUTHORIZATION).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"AWS4-") || value.starts_with(b"AWS ")
    });
    by_header
        || query.split('&').any(|pair| {
            let name = decode_query(pair.split('=').next().unwrap_or(""));
            ["X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential", "AWSAccessKeyId"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        })
}

/// A page posts a file.
pub(super) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::POST
        && headers.get(CONTENT_TYPE).is_some_and(|value| {
            let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
        })
}

/// The first segment of a path, and what follows it.
fn split(path: &str) -> (&str, Option<&str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)))
}

/// The name in a host.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

impl Address {
    /// Whether the host that was asked names the bucket.
    pub(super) fn is_virtual(headers: &HeaderMap, path: &str, settings: &DoorSettings) -> bool {
        asked_host(settings, headers).is_some_and(|host| Self::names_bucket(host, path, settings))
    }

    /// Whether a host names the bucket. A server may itself be called as its bucket is: then a path that begins with
    /// the bucket is believed, and the host is not.
    pub(super) fn names_bucket(host: &str, path: &str, settings: &DoorSettings) -> bool {
        let bucket = &settings.s3.bucket;
        let host = without_port(host).to_ascii_lowercase();
        let Some(rest) = host.strip_prefix(bucket.as_str()).and_then(|rest| rest.strip_prefix('.')) else {
            return false;
        };
        match settings.public_url.as_deref().and_then(Base::parse) {
            Some(base) if without_port(base.origin.host()) == host => false,
            Some(base) if without_port(base.origin.host()) == rest => true,
            Some(_) | None => !rest.is_empty() && split(path).0 != *bucket,
        }
    }

    /// Nothing when the path is not UTF-8.
    pub(super) fn parse(headers: &HeaderMap, path: &str, settings: &DoorSettings) -> Option<Self> {
        let (bucket, key) = if Self::is_virtual(headers, path, settings) {
            (settings.s3.bucket.clone(), Some(path.strip_prefix('/').unwrap_or(path)))
        } else {
            let (bucket, key) = split(path);
            (text(bucket)?, key)
        };
        let key = key.filter(|key| !key.is_empty());
        Some(Self { bucket, key: key.map(text).map_or(Some(None), |key| key.map(Some))? })
    }
}

fn text(raw: &str) -> Option<String> {
    String::from_utf8(decode_path(raw).into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::HOST;

    use super::*;

    fn settings(public_url: Option<&str>) -> DoorSettings {
        DoorSettings { public_url: public_url.map(str::to_owned), ..DoorSettings::default() }
    }

    fn address(host: &str, path: &str, public_url: Option<&str>) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let Address { bucket, key } = Address::parse(&headers, path, &settings(public_url)).unwrap();
        (bucket, key)
    }

    fn said(bucket: &str, key: Option<&str>) -> (String, Option<String>) {
        (bucket.to_owned(), key.map(str::to_owned))
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        for (host, path, bucket, key) in [
            ("h:8000", "/", "", None),
            ("h:8000", "/towline", "towline", None),
            ("h:8000", "/towline/", "towline", None),
            ("h:8000", "/towline/a/b", "towline", Some("a/b")),
            ("h:8000", "/towline//a", "towline", Some("/a")),
            ("h:8000", "/other/a%2Fb+c%20%25", "other", Some("a/b+c %")),
            ("towline.s3.example", "/a/b", "towline", Some("a/b")),
            ("Towline.localhost:8000", "/", "towline", None),
            ("towlines.example", "/a", "a", None),
            ("towline.", "/a", "a", None),
            // A server that is called as its bucket is.
            ("towline.example.com", "/towline/a", "towline", Some("a")),
        ] {
            assert_eq!(address(host, path, None), said(bucket, key), "{host}{path}");
        }
    }

    #[test]
    fn a_public_url_leaves_no_doubt() {
        let public = Some("https://towline.example.com");
        assert_eq!(address("towline.example.com", "/other/a", public), said("other", Some("a")));
        assert_eq!(address("towline.example.com:443", "/other/a", public), said("other", Some("a")));
        let both = address("towline.towline.example.com", "/towline/a", public);
        assert_eq!(both, said("towline", Some("towline/a")));
    }

    #[test]
    fn signed_requests_and_those_to_the_bucket_are_s3s() {
        let is = |target: &str, name: &str, value: &str| {
            let request = Request::builder().method("POST").uri(target).header("host", "towline.example");
            is_s3(&request.header(name, value).body(Body::empty()).unwrap(), &settings(None))
        };
        assert!(is("/other/a", "authorization", "AWS4-HMAC-SHA256 Credential=…"));
        assert!(is("/?X-Amz-Signature=ab", "a", "b"));
        assert!(is("/?x%2Damz-algorithm=ab", "a", "b"));
        assert!(is("/towline", "a", "b") && is("/towline/a", "a", "b"));
        assert!(is("/", "content-type", "multipart/form-data; boundary=b"));
        assert!(!is("/", "content-type", "text/plain"));
        assert!(!is("/upload/init?signature=x", "authorization", "Bearer AWS4-HMAC-SHA256"));
        assert!(!is("/towlines/a", "a", "b"));
    }
}
