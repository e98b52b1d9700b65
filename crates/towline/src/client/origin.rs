//! Where a download comes from, as people write it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::place::{Place, Spot};
use crate::exit::Complaint;
use crate::output::printable;

/// What stands for itself in the path of a URL (RFC 3986, `unreserved`), and what parts its segments.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A file at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// At a server or in a bucket.
    Stored(Spot),
    /// At the server of the settings, if there is one.
    Key(String),
    /// Any file of the web. The name is only what it will be called.
    Url { url: String, name: String },
}

/// The server and the key of a URL that looks like a download of Towline's, and is not signed.
pub(super) fn as_download(url: &str) -> Option<(&str, String)> {
    let (server, key) = url.split_once("/download/").filter(|_| !url.contains('?'))?;
    Some((server, decoded(key)))
}

impl Origin {
    /// A download of the server of the settings is asked of it by its key, with its token. No other server gets the token.
    pub(crate) fn parse(text: &str, server: Option<&str>) -> Result<Self, Complaint> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Key(text.to_owned()));
        };
        let downloads = server.map(|server| format!("{server}/download/"));
        if let Some((server, key)) = server.zip(downloads.and_then(|start| text.strip_prefix(&start))) {
            let place = Place::Server { server: server.to_owned() };
            return Ok(Self::Stored(Spot { place, key: decoded(key) }));
        }
        if matches!(scheme, "http" | "https") {
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            return Ok(Self::Url { url: text.to_owned(), name: decoded(path) });
        }
        let spot = Spot::parse(text)?;
        if spot.key.is_empty() || spot.key.ends_with('/') {
            return Err(Complaint::usage(format!("{} names no file", printable(text)))
                .hint("write s3://BUCKET/KEY; files are downloaded one by one"));
        }
        Ok(Self::Stored(spot))
    }
}

/// A key in the path of a URL.
pub(super) fn in_path(key: &str) -> String {
    utf8_percent_encode(key, RESERVED).to_string()
}

/// And back.
fn decoded(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str, name: &str) -> Origin {
        Origin::Url { url: url.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn only_the_server_of_the_settings_is_asked_by_key() {
        let server = Some("http://up:8000");
        let place = Place::Server { server: "http://up:8000".into() };
        for (text, origin) in [
            ("a/b.mp4", Origin::Key("a/b.mp4".into())),
            ("http://up:8000/download/a%20b.mp4?x=1", Origin::Stored(Spot { place, key: "a b.mp4".into() })),
            ("http://up:8000/other", url("http://up:8000/other", "other")),
            ("http://up:8000.evil/download/a", url("http://up:8000.evil/download/a", "download/a")),
            ("https://web/x/y%2Fz?sig=1", url("https://web/x/y%2Fz?sig=1", "x/y/z")),
            ("https://web", url("https://web", "")),
        ] {
            assert_eq!(Origin::parse(text, server).unwrap(), origin, "{text}");
        }
    }

    #[test]
    fn a_download_is_known_by_its_path() {
        let download = as_download("http://up/files/download/a%20b");
        assert_eq!(download, Some(("http://up/files", "a b".to_owned())));
        for url in ["http://up/a", "http://up/download/a?X-Amz-Signature=1", "http://up/downloads/a"] {
            assert_eq!(as_download(url), None);
        }
    }

    #[test]
    fn a_key_goes_into_a_url_and_comes_back() {
        assert_eq!(in_path("a b/ü?.mp4"), "a%20b/%C3%BC%3F.mp4");
        for key in ["a b/ü?.mp4", "100%25", "a#b+c"] {
            assert_eq!(decoded(&in_path(key)), key);
        }
    }

    #[test]
    fn a_bucket_needs_a_key() {
        assert!(matches!(Origin::parse("s3://b/k", None), Ok(Origin::Stored(_))));
        for text in ["s3://b", "s3://b/", "s3://b/f/", "ftp://a/b"] {
            assert!(Origin::parse(text, None).is_err(), "{text}");
        }
    }
}
