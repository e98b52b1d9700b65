//! What a server said no with, and what that means for an upload.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde::Deserialize;

use super::line::{Answer, host};
use crate::trouble::Trouble;

/// How much of a problem's body is read.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// How much of what a server says is shown.
const SHOWN_CHARS_MAX: usize = 300;
/// Longer than this nobody is left alone.
const RETRY_AFTER_MAX_S: u64 = 300;

/// A refusal as RFC 9457 writes it; anything else that is no success, as well as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The anchor in `docs/errors.md`; nothing when it was not Towline that answered.
    pub(super) code: Option<String>,
    /// The code of S3, where a store answered itself.
    store_code: Option<String>,
    pub(super) detail: String,
    retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Written {
    r#type: String,
    #[serde(default)]
    detail: String,
    field: Option<String>,
}

impl Written {
    fn code(&self) -> Option<&str> {
        let (_, code) = self.r#type.split_once('#')?;
        let is_of_key = matches!(self.field.as_deref(), Some("key" | "filename"));
        // Init names the field that a key came from.
        Some(if code == "bad-field" && is_of_key { "bad-key" } else { code })
    }
}

impl Problem {
    pub(super) async fn read(answer: Answer) -> Self {
        let status = answer.status;
        let wait_s: Option<u64> =
            answer.header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        let retry_after = wait_s.map(|seconds| Duration::from_secs(seconds.min(RETRY_AFTER_MAX_S)));
        let is_problem = answer
            .header(CONTENT_TYPE.as_str())
            .is_some_and(|text| text.starts_with("application/problem+json"));
        let location = answer.header(LOCATION.as_str()).map(plain_place);
        let said = format!("{} answered {status}", host(&answer.uri));
        let body = answer.whole(PROBLEM_BYTES_MAX).await.unwrap_or_default();
        let written: Option<Written> = is_problem.then(|| serde_json::from_slice(&body).ok()).flatten();
        let code = written.as_ref().and_then(|written| written.code()).map(str::to_owned);
        let store_code = xml(&body, "Code");
        let detail = match (written, location, &store_code) {
            (Some(written), _, _) if !written.detail.is_empty() => printable(&written.detail),
            (_, Some(location), _) => format!("{said}: it points to {location}"),
            (_, None, Some(store_code)) => {
                format!("{said}: {store_code}, {}", xml(&body, "Message").unwrap_or_default())
            }
            (_, None, None) => said,
        };
        Self { status, code, store_code, detail, retry_after }
    }

    /// A success that Towline would not have said so.
    pub(super) fn foreign(host: &str) -> Self {
        let detail = format!("{host} does not answer as a Towline server");
        Self { status: StatusCode::OK, code: None, store_code: None, detail, retry_after: None }
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the same request may go well a little later.
    pub(super) fn may_pass(&self) -> bool {
        match self.code.as_deref() {
            Some("store-full") => false,
            Some("taken-over" | "body-cut" | "part-digest") => true,
            Some(_) | None => {
                let is_final = [501, 505, 507].contains(&self.status.as_u16());
                [408, 425, 429].contains(&self.status.as_u16()) || self.status.is_server_error() && !is_final
            }
        }
    }

    /// Whether nothing of it is Towline's own words.
    pub(super) fn is_foreign(&self) -> bool {
        let is_telling = matches!(self.status.as_u16(), 300..=399 | 401 | 413);
        self.code.is_none() && !is_telling && !self.may_pass()
    }

    /// What it means in the middle of an upload that this very server knew: where something else answers for it, as a proxy
    /// does while a server is exchanged, it may be back soon.
    pub(super) fn trouble_under_way(&self) -> Trouble {
        if self.is_foreign() { Trouble::passing(self.detail.clone()) } else { self.trouble() }
    }

    /// What it means when a store said it.
    pub(super) fn trouble_of_store(&self) -> Trouble {
        let is_damage = |code: &str| {
            ["BadDigest", "IncompleteBody", "InvalidDigest", "RequestTimeout", "SlowDown"].contains(&code)
        };
        match self.status.as_u16() {
            404 | 412 | 416 => Trouble::gone(self.detail.clone()),
            _ if self.may_pass() => self.passing(),
            _ if self.store_code.as_deref().is_some_and(is_damage) => self.passing(),
            _ => Trouble::refused(self.detail.clone()),
        }
    }

    fn passing(&self) -> Trouble {
        let is_crowded = [429, 503].contains(&self.status.as_u16());
        Trouble::Passing { what: self.detail.clone(), is_crowded, retry_after: self.retry_after }
    }

    pub(super) fn trouble(&self) -> Trouble {
        if self.may_pass() {
            return self.passing();
        }
        let what = self.detail.clone();
        match self.code.as_deref() {
            // What is missing, or is another, has to be looked for: the same request would be answered alike.
            Some(
                "missing-parts" | "missing-bytes" | "whole-digest" | "upload-not-found" | "not-open"
                | "file-not-found" | "precondition" | "range",
            ) => Trouble::gone(what),
            Some(_) | None => Trouble::Refused { what, hint: self.hint().map(str::to_owned) },
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match (self.code.as_deref(), self.status.as_u16()) {
            (_, 401) => "give a token that the server knows, by TOWLINE_TOKEN or --token",
            (Some("forbidden"), _) => {
                "the token does not allow this, or not for this key: ask whoever runs the server for another one"
            }
            (Some("key-taken" | "key-blocked" | "bad-key"), _) => "choose another key with --key",
            (Some("too-large"), _) => {
                "whoever runs the server can raise its max_file_size, as far as its store allows"
            }
            (Some("store-full"), _) => {
                "once there is room, run the same command again: what has landed is kept"
            }
            (Some("part-bytes" | "part-too-large"), _) => "wish parts of another size with --part-size",
            (Some("no-route" | "wrong-method"), _) => {
                "the server runs without the doors this needs: see its setting 'doors' (session, downloads)"
            }
            (Some(_), _) => return None,
            (None, 413) => {
                "something in front of the server does not let bodies of this size through (nginx: \
                 client_max_body_size): have it raised, or make parts smaller with --part-size"
            }
            (None, 300..=399) => "give the URL that it points to",
            (None, _) => "is this the URL of a Towline server?",
        })
    }
}

/// What S3 says in a document of its own.
fn xml(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text.split_once(&format!("<{name}>"))?.1;
    Some(printable(rest.split_once(&format!("</{name}>"))?.0))
}

/// A redirect's target without its query.
fn plain_place(location: &str) -> String {
    printable(location.split(['?', '#']).next().unwrap_or_default())
}

/// What came from outside, so that a terminal may show it.
pub(super) fn printable(text: &str) -> String {
    // Marks that turn the direction of writing make a text look like another one.
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        if is_odd(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: Option<&str>) -> Problem {
        Problem {
            status: StatusCode::from_u16(status).unwrap(),
            code: code.map(str::to_owned),
            store_code: None,
            detail: "so".to_owned(),
            retry_after: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn every_no_is_sorted_by_what_to_do_about_it() {
        let cases = [
            (503, Some("busy"), "crowded"),
            (503, Some("unavailable"), "crowded"),
            (429, None, "crowded"),
            (500, Some("fault"), "passing"),
            (502, None, "passing"),
            (504, None, "passing"),
            (408, Some("body-too-slow"), "passing"),
            (400, Some("body-cut"), "passing"),
            (400, Some("part-digest"), "passing"),
            (409, Some("taken-over"), "passing"),
            (400, Some("missing-parts"), "gone"),
            (404, Some("upload-not-found"), "gone"),
            (400, Some("not-open"), "gone"),
            (412, Some("precondition"), "gone"),
            (401, Some("unauthenticated"), "refused"),
            (403, Some("forbidden"), "refused"),
            (409, Some("key-taken"), "refused"),
            (409, Some("total-conflict"), "refused"),
            (413, Some("too-large"), "refused"),
            (507, Some("store-full"), "refused"),
            (400, Some("whole-digest"), "gone"),
            (404, Some("no-route"), "refused"),
            (404, None, "refused"),
            (301, None, "refused"),
            (501, None, "refused"),
        ];
        for (status, code, expected) in cases {
            let sort = match problem(status, code).trouble() {
                Trouble::Passing { is_crowded: true, retry_after: Some(_), .. } => "crowded",
                Trouble::Passing { .. } => "passing",
                Trouble::Gone { .. } => "gone",
                Trouble::Refused { .. } => "refused",
                Trouble::Source { .. } => "source",
            };
            assert_eq!(sort, expected, "{status} {code:?}");
        }
    }

    #[test]
    fn who_is_refused_is_told_what_to_do() {
        let hint = |status, code| problem(status, code).hint().unwrap_or_default();
        assert!(hint(401, Some("unauthenticated")).contains("TOWLINE_TOKEN"));
        assert!(hint(409, Some("key-taken")).contains("--key"));
        assert!(hint(413, None).contains("client_max_body_size"));
        assert!(hint(404, None).contains("Towline server?"));
        assert_eq!(hint(400, Some("bad-field")), "");
    }

    #[test]
    fn what_came_from_outside_cannot_write_to_a_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}ü"), "a\\u{1b}[2J\\nb\\u{202e}ü");
        assert_eq!(printable(&"x".repeat(999)).chars().count(), SHOWN_CHARS_MAX + 1);
        assert_eq!(plain_place("http://a/b?X-Amz-Signature=1"), "http://a/b");
    }

    #[test]
    fn the_words_of_s3_are_found() {
        let body = b"<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        assert_eq!(xml(body, "Code").as_deref(), Some("AccessDenied"));
        assert_eq!(xml(body, "Message").as_deref(), Some("Request has expired"));
        assert_eq!(xml(b"<html>", "Code"), None);
    }
}
