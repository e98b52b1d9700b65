//! What a client says of a file in its headers, and how it is told again. Pure.

use std::fmt::Write as _;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use towline_core::key::Key;
use towline_core::upload::About;

use super::problem::{Denied, INVALID_ARGUMENT};

const PREFIX: &str = "x-amz-meta-";

/// What is kept with the bytes.
pub(super) fn about(headers: &HeaderMap, key: &Key) -> Result<About, Denied> {
    check_kept(headers)?;
    let mut metadata: Vec<(String, String)> = Vec::new();
    for name in headers.keys().filter_map(|name| name.as_str().strip_prefix(PREFIX)) {
        let values = headers.get_all(format!("{PREFIX}{name}"));
        let texts: Result<Vec<String>, Denied> = values.iter().map(|value| text(value, name)).collect();
        metadata.push((name.to_owned(), texts?.join(",")));
    }
    metadata.sort();
    let content_type = headers.get(CONTENT_TYPE).map(|value| text(value, "Content-Type")).transpose()?;
    Ok(About {
        filename: key.file_name().to_owned(),
        content_type: content_type.filter(|text| !text.is_empty()),
        metadata,
        ..About::default()
    })
}

/// What S3 keeps beside the bytes and we do not is refused where the file is something else without it.
pub(super) fn check_kept(headers: &HeaderMap) -> Result<(), Denied> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let is_foreign = |word: &str| {
        !["", "aws-chunked", "identity"].iter().any(|known| word.trim().eq_ignore_ascii_case(known))
    };
    let found = lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).find(|word| is_foreign(word));
    if let Some(word) = found {
        return Err(Denied::not_implemented(&format!("Content-Encoding: {}", word.trim())));
    }
    Ok(())
}

/// Metadata as headers of a reply.
pub(super) fn headers(about: &About) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    about.metadata.iter().filter_map(|(name, value)| {
        // Other doors take names that are no header's: those are not shown here.
        let name = HeaderName::try_from(format!("{PREFIX}{name}").to_ascii_lowercase()).ok()?;
        Some((name, HeaderValue::try_from(encode(value)).ok()?))
    })
}

fn text(value: &HeaderValue, name: &str) -> Result<String, Denied> {
    let text = str::from_utf8(value.as_bytes());
    let text = text.map_err(|_| Denied::new(INVALID_ARGUMENT, format!("{name} is not UTF-8")))?;
    Ok(decode(text.trim()))
}

/// Text that is not ASCII as an encoded word (RFC 2047), as S3 sends it.
fn encode(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain { text.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(text)) }
}

/// Undoes encoded words; what is none stays as it is.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    let mut was_word = false;
    while let Some(at) = rest.find("=?") {
        let (before, after) = rest.split_at(at);
        let Some((word, behind)) = first_word(after) else {
            decoded.push_str(before);
            decoded.push_str("=?");
            (rest, was_word) = (&after[2..], false);
            continue;
        };
        // Space between two words is there to part them, and nothing else.
        if !(was_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        decoded.push_str(&word);
        (rest, was_word) = (behind, true);
    }
    decoded.push_str(rest);
    decoded
}

/// The encoded word that a text begins with, and what follows it.
fn first_word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, behind) = rest.split_once("?=")?;
    if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(content).ok()?,
        "Q" | "q" => unquote(content),
        _ => return None,
    };
    let word = String::from_utf8(bytes).ok()?;
    Some((word, behind))
}

/// Quoted-printable as words have it: an underscore is a space.
fn unquote(content: &str) -> Vec<u8> {
    let escaped = content.replace('_', " ").bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'=' => escaped.push('%'),
            b'%' => escaped.push_str("%25"),
            byte if byte.is_ascii() => escaped.push(char::from(byte)),
            byte => write!(escaped, "%{byte:02X}").expect("a String takes every write"),
        }
        escaped
    });
    towline_sigv4::decode_path(&escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encoded_words_are_undone() {
        for (text, decoded) in [
            ("plain", "plain"),
            ("=?UTF-8?B?w7xtbMOkdXQ=?=", "ümläut"),
            ("=?utf-8?q?=C3=BC_a%b?= x", "ü a%b x"),
            ("=?UTF-8?B?w7w=?= =?UTF-8?Q?=C3=A4?=", "üä"),
            ("a =?x", "a =?x"),
            ("=?UTF-8?B?!?=", "=?UTF-8?B?!?="),
            ("=?latin1?Q?=FC?=", "=?latin1?Q?=FC?="),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }

    #[test]
    fn metadata_goes_round() {
        let mut sent = HeaderMap::new();
        sent.insert("x-amz-meta-mtime", "1.5".parse().unwrap());
        sent.insert("x-amz-meta-name", "=?UTF-8?B?w7w=?=".parse().unwrap());
        sent.insert("content-type", "video/mp4".parse().unwrap());
        let about = about(&sent, &Key::parse("a/b.mp4").unwrap()).unwrap();
        assert_eq!(about.filename, "b.mp4");
        assert_eq!(about.content_type.as_deref(), Some("video/mp4"));
        let expected = [("mtime", "1.5"), ("name", "ü")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(about.metadata, expected);
        sent.remove("content-type");
        assert_eq!(headers(&about).collect::<HeaderMap>(), sent);
    }

    proptest! {
        #[test]
        fn any_text_is_told_again(text in "[ -~äü🎬]{0,40}") {
            let text = text.trim();
            prop_assume!(!text.contains("=?"));
            prop_assert_eq!(decode(&encode(text)), text);
        }

        #[test]
        fn no_text_panics(text in "[=?UTFBQutfbq8_ -]{0,40}") {
            decode(&text);
        }
    }
}
