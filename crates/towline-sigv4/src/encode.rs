//! Percent-encoding and hexadecimal as signatures want them: only `A-Za-z0-9-._~` stay as they are, digits of
//! escapes are upper case, digits of digests lower case.

use std::borrow::Cow;

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// Encodes a name or a value of a query.
pub(crate) fn push_encoded(text: &[u8], into: &mut String) {
    push(text, false, into);
}

/// Encodes a path once; slashes stay, nothing is normalised.
pub fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + 16);
    push(path.as_bytes(), true, &mut encoded);
    encoded
}

pub(crate) fn encode_path_bytes(path: &[u8]) -> String {
    let mut encoded = String::with_capacity(path.len() + 16);
    push(path, true, &mut encoded);
    encoded
}

fn push(text: &[u8], keeps_slash: bool, into: &mut String) {
    for &byte in text {
        let is_kept = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (keeps_slash && byte == b'/');
        if is_kept {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(UPPER[usize::from(byte >> 4)]));
            into.push(char::from(UPPER[usize::from(byte & 15)]));
        }
    }
}

/// Decodes a path: a plus is a plus. An escape that is none stays as it is written.
pub fn decode_path(raw: &str) -> Cow<'_, [u8]> {
    decode(raw, false)
}

/// Decodes a name or a value of a query: a plus is a space, as forms write it.
pub fn decode_query(raw: &str) -> Cow<'_, [u8]> {
    decode(raw, true)
}

fn decode(raw: &str, plus_is_space: bool) -> Cow<'_, [u8]> {
    let bytes = raw.as_bytes();
    if !bytes.iter().any(|byte| *byte == b'%' || (plus_is_space && *byte == b'+')) {
        return Cow::Borrowed(bytes);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| Some((digit(*bytes.get(at + 1)?)?, digit(*bytes.get(at + 2)?)?)));
        if let Some(Some((high, low))) = escape {
            decoded.push(high << 4 | low);
            at += 3;
        } else {
            decoded.push(if plus_is_space && byte == b'+' { b' ' } else { byte });
            at += 1;
        }
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The names and values of a raw query, neither decoded yet. A name without a value has an empty one.
pub(crate) fn pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Sorted and joined, as the canonical request wants pairs that are encoded already.
pub(crate) fn join_sorted(mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> String {
    pairs.sort_unstable();
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut query = String::with_capacity(bytes);
    for (name, value) in &pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(value);
    }
    query
}

pub(crate) fn push_hex(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        into.push(char::from(LOWER[usize::from(byte >> 4)]));
        into.push(char::from(LOWER[usize::from(byte & 15)]));
    }
}

pub(crate) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = LOWER[usize::from(byte >> 4)];
        pair[1] = LOWER[usize::from(byte & 15)];
    }
    text
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_once_and_never_normalised() {
        for (path, encoded) in [
            ("/a b+c", "/a%20b%2Bc"),
            ("/a//b/./../c", "/a//b/./../c"),
            ("/50%25", "/50%2525"),
            ("/ümläut~(1)!*'", "/%C3%BCml%C3%A4ut~%281%29%21%2A%27"),
        ] {
            assert_eq!(encode_path(path), encoded);
            assert_eq!(*decode_path(encoded), *path.as_bytes());
        }
    }

    #[test]
    fn a_plus_is_a_space_only_in_a_query() {
        assert_eq!(*decode_path("a+b%2B"), *b"a+b+");
        assert_eq!(*decode_query("a+b%2B"), *b"a b+");
    }

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        for raw in ["%", "%2", "%zz", "a%+1"] {
            assert_eq!(*decode_path(raw), *raw.as_bytes());
        }
    }

    #[test]
    fn hexadecimal_is_read_in_both_cases_and_only_whole() {
        let bytes = [0xab; 32];
        let text = String::from_utf8(hex(&bytes).to_vec()).unwrap();
        assert_eq!(text, "ab".repeat(32));
        assert_eq!(from_hex(&text), Some(bytes));
        assert_eq!(from_hex(&text.to_uppercase()), Some(bytes));
        assert_eq!(from_hex(&text[1..]), None);
        assert_eq!(from_hex(&"zz".repeat(32)), None);
        assert_eq!(from_hex(&format!("é{}", "a".repeat(62))), None);
    }
}
