//! The canonical request and the string to sign: what both sides of a signature must spell alike.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use crate::encode;
use crate::key::Scope;
use crate::moment::Moment;

/// A request in canonical spelling. `path` and `query` are encoded, the query is sorted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canonical<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// Lines of `name:value`, each with its end.
    pub headers: &'a str,
    /// Names, joined by semicolons.
    pub signed: &'a str,
    pub payload: &'a str,
}

impl Canonical<'_> {
    pub(crate) fn text(&self) -> String {
        let Self { method, path, query, headers, signed, payload } = self;
        [*method, "\n", path, "\n", query, "\n", headers, "\n", signed, "\n", payload].concat()
    }
}

/// What comes before the digest of the canonical request.
pub(crate) fn preamble(moment: Moment, scope: &Scope) -> String {
    format!("{}\n{moment}\n{scope}\n", crate::ALGORITHM)
}

pub(crate) fn string_to_sign(moment: Moment, scope: &Scope, canonical: &str) -> String {
    let mut text = preamble(moment, scope);
    encode::push_hex(&sha256(canonical.as_bytes()), &mut text);
    text
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Adds the line of one header: its values trimmed, runs of spaces within them made one, joined by commas. A signed
/// header that is not there counts as an empty one.
pub(crate) fn push_header<'a>(name: &str, values: impl Iterator<Item = &'a str>, lines: &mut String) {
    lines.push_str(name);
    lines.push(':');
    for (index, value) in values.enumerate() {
        if index > 0 {
            lines.push(',');
        }
        push_value(value, lines);
    }
    lines.push('\n');
}

fn push_value(value: &str, lines: &mut String) {
    for (index, word) in value.split([' ', '\t']).filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            lines.push(' ');
        }
        lines.push_str(word);
    }
}

/// Names and values that are not encoded yet, as a canonical query.
pub(crate) fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encoded = |text: &str| {
        let mut encoded = String::with_capacity(text.len() + 16);
        encode::push_encoded(text.as_bytes(), &mut encoded);
        Cow::Owned(encoded)
    };
    encode::join_sorted(pairs.map(|(name, value)| (encoded(name), encoded(value))).collect())
}
