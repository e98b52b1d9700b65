//! Where files go and come from, as people write it and as the journal keeps it.

use serde::{Deserialize, Serialize};

use super::origin::in_path;
use crate::config::BaseUrl;
use crate::exit::Complaint;
use crate::output::printable;

const WAYS: &str = "a place is http://SERVER, https://SERVER or s3://BUCKET/KEY";

/// A place and what was said there about the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    /// What stands behind the bucket's name; nothing at a server.
    pub(crate) key: String,
}

/// Leads back to a place. Holds no secrets: the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Place {
    Server {
        server: String,
    },
    Bucket {
        bucket: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
}

impl Spot {
    pub(crate) fn parse(text: &str) -> Result<Self, Complaint> {
        let shown = printable(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Complaint::usage(format!("{shown:?} is no place")).hint(WAYS));
        };
        match scheme {
            "http" | "https" => {
                let server = BaseUrl::parse(text).map_err(|_| {
                    Complaint::usage(format!("{shown} is not the URL of a server"))
                        .hint("give the server only, such as http://127.0.0.1:8000; names go by --key")
                })?;
                Ok(Self { place: Place::Server { server: server.0 }, key: String::new() })
            }
            "s3" => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                if bucket.is_empty() {
                    return Err(Complaint::usage(format!("{shown} names no bucket"))
                        .hint("write s3://BUCKET, s3://BUCKET/FOLDER/ or s3://BUCKET/KEY"));
                }
                if !bucket.bytes().all(is_plain) || bucket.len() > 63 {
                    return Err(Complaint::usage(format!(
                        "{:?} is not the name of a bucket",
                        printable(bucket)
                    ))
                    .hint("it has up to 63 letters, digits, dots and hyphens"));
                }
                let place = Place::Bucket { bucket: bucket.to_owned(), endpoint: None, region: None };
                Ok(Self { place, key: key.to_owned() })
            }
            _ => {
                Err(Complaint::usage(format!("{shown} is no place that can be reached from here")).hint(WAYS))
            }
        }
    }
}

impl Place {
    /// Where a file can be had that is stored there; a bucket says that itself.
    pub(crate) fn download(&self, key: &str) -> Option<String> {
        match self {
            Self::Server { server } => Some(format!("{server}/download/{}", in_path(key))),
            Self::Bucket { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str) -> Place {
        Place::Bucket { bucket: name.to_owned(), endpoint: None, region: None }
    }

    #[test]
    fn a_place_is_a_server_or_a_bucket_with_the_beginning_of_a_key() {
        for (text, place, key) in [
            ("s3://b-1", bucket("b-1"), ""),
            ("s3://b/", bucket("b"), ""),
            ("s3://b/a/", bucket("b"), "a/"),
            ("s3://b/a b/ü?.mp4", bucket("b"), "a b/ü?.mp4"),
            ("http://up:8000/", Place::Server { server: "http://up:8000".into() }, ""),
            ("https://up/files", Place::Server { server: "https://up/files".into() }, ""),
        ] {
            assert_eq!(Spot::parse(text).unwrap(), Spot { place, key: key.to_owned() }, "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_a_usage_error_with_a_hint() {
        for text in
            ["", "up:8000", "ftp://up", "s3://", "s3:///key", "s3://b c/", "http://", "http://up/?a=b"]
        {
            let complaint = Spot::parse(text).unwrap_err();
            assert!(complaint.to_text().contains("hint: "), "{text}");
            assert_eq!(complaint.exit, crate::exit::Exit::Usage, "{text}");
        }
    }

    #[test]
    fn the_journal_gives_a_place_back() {
        let endpoint = Some("http://minio:9000".to_owned());
        for place in [
            Place::Server { server: "http://up:8000".into() },
            bucket("b"),
            Place::Bucket { bucket: "b".into(), endpoint, region: Some("eu-central-1".into()) },
        ] {
            let kept = serde_json::to_value(&place).unwrap();
            assert_eq!(serde_json::from_value::<Place>(kept).unwrap(), place);
        }
    }
}
