//! How the page must name the upload: to our own `s3` door by our own words, to a store by the store's.

use towline_core::upload::Upload;
use towline_sigv4::decode_path;

use crate::desk::{Desk, Ticket};
use crate::refused::Refused;

/// An upload as the one who will be asked knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoreName {
    pub(super) key: String,
    pub(super) upload_id: String,
}

impl StoreName {
    pub(super) fn of(upload: &Upload) -> Self {
        Self { key: upload.key.to_string(), upload_id: upload.id.to_string() }
    }

    /// A store has words of its own for both, and says them in the URLs of the parts.
    pub(super) async fn find(desk: &Desk, upload: &Upload) -> Result<Self, Refused> {
        let url = desk.part_url(&Ticket { id: upload.id, key: None }, 1, None).await?;
        Ok(Self::read(&url, desk.links.bucket()).unwrap_or_else(|| Self::of(upload)))
    }

    fn read(url: &str, bucket: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (host, rest) = rest.split_once('/')?;
        let (path, query) = rest.split_once('?')?;
        let path = String::from_utf8(decode_path(path).into_owned()).ok()?;
        let is_in_host = host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.'));
        let key = if is_in_host { &path } else { path.strip_prefix(bucket)?.strip_prefix('/')? };
        let mut query = form_urlencoded::parse(query.as_bytes());
        let (_, upload_id) = query.find(|(name, _)| name == "uploadId")?;
        Some(Self { key: key.to_owned(), upload_id: upload_id.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_own_words_are_read_from_its_url() {
        let expected = StoreName { key: "a b/c".to_owned(), upload_id: "2~x/y".to_owned() };
        for url in [
            "https://s3.example:3900/box/a%20b/c?partNumber=1&uploadId=2~x%2Fy&X-Amz-Signature=0",
            "https://box.s3.example/a%20b/c?uploadId=2~x%2Fy",
        ] {
            assert_eq!(StoreName::read(url, "box").as_ref(), Some(&expected), "{url}");
        }
        for url in ["", "https://s3.example/other/c?uploadId=1", "https://s3.example/box/c"] {
            assert_eq!(StoreName::read(url, "box"), None, "{url}");
        }
    }
}
