//! What an object is made with: its type, the client's metadata, and what the settings say of every object. Pure.

use towline_core::upload::About;
use towline_s3::described;

use super::{Encryption, S3Settings};

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

/// What the client says of the file. What S3 does not take stays in the catalog, which has all of it.
pub(super) fn about(about: &About) -> Headers {
    let metadata = about.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    described::headers(about.content_type.as_deref(), metadata).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(headers: &Headers) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
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
