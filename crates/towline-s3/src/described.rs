//! What an object is told to be: its type and metadata, as headers can say it. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What S3 takes of metadata, names and values together.
const METADATA_BYTES_MAX: usize = 2048;

/// The headers, and the names of what they cannot say: what is no name of a header, comes twice, or is too much.
pub fn headers<'a>(
    content_type: Option<&str>,
    metadata: impl Iterator<Item = (&'a str, &'a str)>,
) -> (Vec<(String, String)>, Vec<&'a str>) {
    let (mut headers, mut left_out) = (Vec::new(), Vec::new());
    if let Some(content_type) = content_type.filter(|text| is_plain(text)) {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    let mut left_bytes = METADATA_BYTES_MAX;
    for (given, value) in metadata {
        let value = encode(value);
        let name = metadata_name(given).unwrap_or_default();
        let name_of_it = format!("x-amz-meta-{name}");
        let is_told = name.is_empty() || headers.iter().any(|(told, _)| *told == name_of_it);
        match left_bytes.checked_sub(name.len() + value.len()).filter(|_| !is_told) {
            Some(left) => {
                left_bytes = left;
                headers.push((name_of_it, value));
            }
            None => left_out.push(given),
        }
    }
    (headers, left_out)
}

/// What a header's name may hold, in lower case as S3 keeps it.
fn metadata_name(name: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
    let fits = !name.is_empty() && name.bytes().all(is_token);
    fits.then(|| name.to_ascii_lowercase())
}

/// Whether a value passes through a header and a signature as it is.
fn is_plain(value: &str) -> bool {
    let is_visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_visible
        && value.trim() == value
        && !value.contains("  ")
        && !value.starts_with("=?")
        && !value.is_empty()
}

/// As RFC 2047 writes what is not plain: S3 says it back in this form.
fn encode(value: &str) -> String {
    if value.is_empty() || is_plain(value) {
        return value.to_owned();
    }
    format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_written_as_headers_can_say_it() {
        let metadata =
            [("Author", "Jörg"), ("plan", "b c"), ("two words", "x"), ("PLAN", "d"), ("s", " x"), ("e", "")];
        let (told, left_out) = headers(Some("video/mp4"), metadata.into_iter());
        let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            told,
            [
                ("content-type", "video/mp4"),
                ("x-amz-meta-author", "=?UTF-8?B?SsO2cmc=?="),
                ("x-amz-meta-plan", "b c"),
                ("x-amz-meta-s", "=?UTF-8?B?IHg=?="),
                ("x-amz-meta-e", ""),
            ]
        );
        assert_eq!(left_out, ["two words", "PLAN"]);
    }

    #[test]
    fn metadata_beyond_what_s3_takes_is_left_out() {
        let long = "x".repeat(2047);
        let (told, left_out) = headers(None, [("a", long.as_str()), ("b", "y")].into_iter());
        assert_eq!((told.len(), left_out), (1, vec!["b"]));
        assert!(headers(Some("text/plain\r\nx: y"), [].into_iter()).0.is_empty());
    }
}
