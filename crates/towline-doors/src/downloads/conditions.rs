//! What a request's conditions say of the file there is (RFC 9110, 13).

use axum::http::HeaderMap;
use axum::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use towline_core::clock::Timestamp;

use crate::moment::{http_date, parse_http_date};

/// What is escaped of a store's version.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// The file there is.
#[derive(Debug)]
pub(crate) struct Current {
    /// Strong: another content has another one.
    pub(crate) etag: String,
    modified_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send,
    NotModified,
    Failed,
}

impl Current {
    pub(crate) fn new(version: &str, modified_at: Timestamp) -> Self {
        // A store's version may be any text; an entity tag may not hold quotes, spaces or controls.
        Self::tagged(&utf8_percent_encode(version, ESCAPED).to_string(), modified_at)
    }

    /// By a tag that is plain already, as S3 names contents.
    pub(crate) fn tagged(tag: &str, modified_at: Timestamp) -> Self {
        Self {
            etag: format!("\"{tag}\""),
            // By way of the header, so that what clients send back compares equal.
            modified_s: parse_http_date(&http_date(modified_at)).unwrap_or(0),
        }
    }

    /// The order is the standard's: tags count before dates.
    pub(crate) fn judge(&self, headers: &HeaderMap) -> Verdict {
        if let Some(tags) = tags(headers, &IF_MATCH) {
            // A weak tag never says that two files are equal byte for byte.
            if !tags.iter().any(|tag| tag == "*" || *tag == self.etag) {
                return Verdict::Failed;
            }
        } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|since| self.modified_s > since) {
            return Verdict::Failed;
        }
        if let Some(tags) = tags(headers, &IF_NONE_MATCH) {
            let is_known = |tag: &String| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag;
            if tags.iter().any(is_known) {
                return Verdict::NotModified;
            }
        } else if date(headers, &IF_MODIFIED_SINCE).is_some_and(|since| self.modified_s <= since) {
            return Verdict::NotModified;
        }
        Verdict::Send
    }

    /// Whether a range may be cut out of this file. A date never proves that it is the one the client has begun: two
    /// files can share a second.
    pub(crate) fn admits_range(&self, headers: &HeaderMap) -> bool {
        headers.get(IF_RANGE).is_none_or(|tag| tag.as_bytes() == self.etag.as_bytes())
    }
}

/// The entity tags of a header's lines; nothing when there is none. What is no tag matches nothing.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("")).collect();
    if lines.is_empty() {
        return None;
    }
    let mut tags = Vec::new();
    let joined = lines.join(",");
    let mut rest = joined.trim();
    while !rest.is_empty() {
        // A quoted tag may hold commas.
        let quoted_at = if rest.starts_with("W/\"") { 2 } else { 0 };
        let length = match rest[quoted_at..].strip_prefix('"') {
            Some(inner) => inner.find('"').map_or(rest.len(), |end| quoted_at + end + 2),
            None => rest.find(',').unwrap_or(rest.len()),
        };
        let (tag, behind) = rest.split_at(length);
        if !tag.trim().is_empty() {
            tags.push(tag.trim().to_owned());
        }
        let next = behind.find(',').map_or(behind.len(), |comma| comma + 1);
        rest = behind[next..].trim_start();
    }
    Some(tags)
}

/// A date in no known form counts as not sent.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    parse_http_date(headers.get(name)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODIFIED: &str = "Sat, 21 Nov 2026 00:00:00 GMT";
    const BEFORE: &str = "Fri, 20 Nov 2026 00:00:00 GMT";

    fn current() -> Current {
        Current::new("v1", Timestamp::from_millis(1_795_219_200_500))
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn conditions_are_judged_in_the_order_of_the_standard() {
        let cases: &[(&[(&'static str, &str)], Verdict)] = &[
            (&[], Verdict::Send),
            (&[("if-match", "\"v1\"")], Verdict::Send),
            (&[("if-match", "*")], Verdict::Send),
            (&[("if-match", "\"a,b\", \"v1\"")], Verdict::Send),
            (&[("if-match", "\"v2\"")], Verdict::Failed),
            (&[("if-match", "W/\"v1\"")], Verdict::Failed),
            (&[("if-match", "v1")], Verdict::Failed),
            (&[("if-unmodified-since", MODIFIED)], Verdict::Send),
            (&[("if-unmodified-since", BEFORE)], Verdict::Failed),
            (&[("if-match", "\"v1\""), ("if-unmodified-since", BEFORE)], Verdict::Send),
            (&[("if-none-match", "\"v1\"")], Verdict::NotModified),
            (&[("if-none-match", "\"x\", W/\"v1\"")], Verdict::NotModified),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"v1\"")], Verdict::NotModified),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"v2\"")], Verdict::Send),
            (&[("if-modified-since", MODIFIED)], Verdict::NotModified),
            (&[("if-modified-since", BEFORE)], Verdict::Send),
            (&[("if-modified-since", "yesterday")], Verdict::Send),
            (&[("if-none-match", "\"v2\""), ("if-modified-since", MODIFIED)], Verdict::Send),
            (&[("if-match", "\"v2\""), ("if-none-match", "\"v1\"")], Verdict::Failed),
        ];
        for (lines, verdict) in cases {
            assert_eq!(current().judge(&headers(lines)), *verdict, "{lines:?}");
        }
    }

    #[test]
    fn a_range_is_cut_only_out_of_the_very_file() {
        let admits = |lines: &[(&'static str, &str)]| current().admits_range(&headers(lines));
        assert!(admits(&[]));
        assert!(admits(&[("if-range", "\"v1\"")]));
        assert!(!admits(&[("if-range", "\"v2\"")]));
        assert!(!admits(&[("if-range", "W/\"v1\"")]));
        assert!(!admits(&[("if-range", MODIFIED)]));
    }

    #[test]
    fn any_version_makes_a_tag_that_can_be_sent() {
        let current = Current::new("a \"b\"\n√", Timestamp::from_millis(0));
        assert_eq!(current.etag, "\"a%20%22b%22%0A%E2%88%9A\"");
    }

    proptest! {
        #[test]
        fn no_condition_panics(text in "[ -~]{0,60}") {
            for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"] {
                let headers = headers(&[(name, text.trim())]);
                current().judge(&headers);
                current().admits_range(&headers);
            }
        }
    }
}
