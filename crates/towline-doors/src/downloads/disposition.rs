//! The name under which a browser saves a file (RFC 6266), safe for any name.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Always saved, never shown. Clients too old for `filename*` get the name with `_` for what they would misread.
pub(super) fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' | '/' => '_',
            c if c == ' ' || c.is_ascii_graphic() => c,
            _ => '_',
        })
        .collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, KEPT))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_and_others_are_spelled_twice() {
        assert_eq!(attachment("my video.mp4"), "attachment; filename=\"my video.mp4\"");
        assert_eq!(
            attachment("a\"b;ü🎬.mp4"),
            "attachment; filename=\"a_b;__.mp4\"; filename*=UTF-8''a%22b%3B%C3%BC%F0%9F%8E%AC.mp4"
        );
    }

    proptest! {
        #[test]
        fn any_name_can_be_sent_and_is_read_back(name in ".*") {
            let line = attachment(&name);
            prop_assert!(HeaderValue::from_str(&line).is_ok());
            let back = match line.split_once("filename*=UTF-8''") {
                Some((_, encoded)) => percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap().into_owned(),
                None => line["attachment; filename=\"".len()..line.len() - 1].to_owned(),
            };
            prop_assert_eq!(back, name);
        }
    }
}
