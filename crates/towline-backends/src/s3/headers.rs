//! What an object is made with: its type, the client's metadata, and what the settings say of every object. Pure.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use towline_core::upload::About;

use super::{Encryption, S3Settings};

/// What S3 takes of metadata, names and values together. The rest stays in the catalog, which has all of it.
const METADATA_BYTES_MAX: usize = 2048;

type Headers = Vec<(String, String)>;

/// Of every object that is made, also of our own.
pub(super) fn of_every(settings: &S3Settings) -> Headers {
    let mut headers = Headers::new();
    let mut push = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    match &settings.encryption {
        None => {}
        Some(Encryption::Aes256) => push("x-amz-server-side-encryption", "AES256"),
        Some(Encryption::Kms { key_id }) => {
            push("x-amz-server-side-encryption", "aws:kms");
            if let Some(key_id) = key_id {
                push("x-amz-server-side-encryption-aws-kms-key-id", key_id);
            }
        }
    }
    headers
}

/// Of every object that a client names.
pub(super) fn of_keyed(settings: &S3Settings) -> Headers {
    let mut headers = of_every(settings);
    let own = [("x-amz-storage-class", &settings.storage_class), ("x-amz-acl", &settings.acl)];
    for (name, value) in own {
        headers.extend(value.as_ref().map(|value| (name.to_owned(), value.clone())));
    }
    headers
}

/// The settings' tags; copied with an object.
pub(super) fn tags(settings: &S3Settings) -> Headers {
    if settings.tags.is_empty() {
        return Headers::new();
    }
    let tags = form_urlencoded::Serializer::new(String::new()).extend_pairs(&settings.tags).finish();
    vec![("x-amz-tagging".to_owned(), tags)]
}

/// What the client says of the file.
pub(super) fn about(about: &About) -> Headers {
    let mut headers = Headers::new();
    if let Some(content_type) = about.content_type.as_ref().filter(|text| is_plain(text)) {
        headers.push(("content-type".to_owned(), content_type.clone()));
    }
    let mut left_bytes = METADATA_BYTES_MAX;
    for (name, value) in &about.metadata {
        let (Some(name), value) = (metadata_name(name), encode(value)) else { continue };
        let name_of_it = format!("x-amz-meta-{name}");
        let is_told = headers.iter().any(|(told, _)| *told == name_of_it);
        if let Some(left) = left_bytes.checked_sub(name.len() + value.len()).filter(|_| !is_told) {
            left_bytes = left;
            headers.push((name_of_it, value));
        }
    }
    headers
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

    fn pairs(headers: &Headers) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn metadata_is_written_as_headers_can_say_it() {
        let metadata =
            [("Author", "Jörg"), ("plan", "b c"), ("two words", "x"), ("PLAN", "d"), ("s", " x"), ("e", "")];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let described = About { content_type: Some("video/mp4".to_owned()), metadata, ..About::default() };
        assert_eq!(
            pairs(&about(&described)),
            [
                ("content-type", "video/mp4"),
                ("x-amz-meta-author", "=?UTF-8?B?SsO2cmc=?="),
                ("x-amz-meta-plan", "b c"),
                ("x-amz-meta-s", "=?UTF-8?B?IHg=?="),
                ("x-amz-meta-e", ""),
            ]
        );
    }

    #[test]
    fn metadata_beyond_what_s3_takes_is_left_to_the_catalog() {
        let metadata = vec![("a".to_owned(), "x".repeat(2047)), ("b".to_owned(), String::from("y"))];
        let told = about(&About { metadata, ..About::default() });
        assert_eq!(told.len(), 1);
        let content_type = Some("text/plain\r\nx: y".to_owned());
        assert!(about(&About { content_type, ..About::default() }).is_empty());
    }

    #[test]
    fn settings_are_told_of_every_object() {
        let settings = S3Settings {
            storage_class: Some("STANDARD_IA".to_owned()),
            acl: Some("private".to_owned()),
            encryption: Some(Encryption::Kms { key_id: Some("k".to_owned()) }),
            tags: vec![("team".to_owned(), "a b&c".to_owned())],
            ..S3Settings::new("b", "r")
        };
        assert_eq!(
            pairs(&of_keyed(&settings)),
            [
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "k"),
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-acl", "private"),
            ]
        );
        assert_eq!(pairs(&tags(&settings)), [("x-amz-tagging", "team=a+b%26c")]);
    }
}
