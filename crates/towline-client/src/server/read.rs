//! Finished files from a server: what is known of them, and their bytes.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RANGE};
use http::{HeaderValue, Method, Request};
use towline_core::digest::{Algorithm, Digest};
use towline_s3::multipart::crc64_of;

use super::Server;
use super::address::{in_path, resolve};
use super::line::{Answer, host};
use super::problem::Problem;
use super::talk::Ask;
use crate::remote::Stored;
use crate::trouble::Trouble;

/// The bytes of a range.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, Trouble>>;

impl Server {
    pub(super) async fn stored_file(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        let path = format!("/download/{}", in_path(key));
        if let Ok(answer) = self.talk.answer(&Ask::new(Method::HEAD, path.as_str())).await? {
            return stored(&answer, key).map(Some);
        }
        // The answer to a HEAD has no body: what it would say has to be asked for.
        let ask = Ask::get(path).header(RANGE.as_str(), "bytes=0-0".to_owned());
        match self.talk.answer(&ask).await? {
            Ok(_) => Err(Trouble::passing("the file is there now, and was not a moment ago")),
            Err(problem) if problem.is("file-not-found") => Ok(None),
            // Its hint is for who uploads.
            Err(problem) if problem.is("bad-key") => {
                Err(Trouble::refused(problem.detail).hint("no file has such a name: check how it is written"))
            }
            Err(problem) => Err(problem.trouble()),
        }
    }

    pub(super) async fn read_range(&self, stored: &Stored, range: Range<u64>) -> Result<Pieces, Trouble> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let mut ask = Ask::get(format!("/download/{}", in_path(&stored.key)))
            .header(RANGE.as_str(), range_text(&range));
        if let Some(tag) = strong(stored) {
            ask = ask.header(IF_MATCH.as_str(), tag.to_owned());
        }
        // Once: whoever reads goes on where the last try ended.
        let answer = self.talk.once(&ask).await?.map_err(|problem| problem.trouble())?;
        if answer.status.is_success() {
            return pieces(answer, (stored, range));
        }
        // The store has a tag of its own for the content, and must not see the token.
        let elsewhere = answer.header(LOCATION.as_str()).and_then(|location| resolve(&answer.uri, location));
        let uri =
            elsewhere.ok_or_else(|| Trouble::refused("the server points to no URL that may be followed"))?;
        drop(answer);
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(RANGE, header(&range_text(&range))?);
        let line = &self.talk.line;
        let answer = line.ask(request, line.patience.connect + line.patience.reply).await?;
        if !answer.status.is_success() {
            return Err(Problem::read(answer).await.trouble_of_store());
        }
        let size_only = Stored { tag: None, ..stored.clone() };
        pieces(answer, (&size_only, range))
    }
}

pub(super) fn header(text: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(text).map_err(|_| Trouble::refused("a header cannot be sent"))
}

pub(super) fn range_text(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

/// A weak tag never says that two contents are equal.
pub(super) fn strong(stored: &Stored) -> Option<&str> {
    stored.tag.as_deref().filter(|tag| tag.starts_with('"'))
}

/// What the answer to a HEAD tells of a file.
fn stored(answer: &Answer, key: &str) -> Result<Stored, Trouble> {
    let size_bytes = answer.header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    let size_bytes = size_bytes
        .ok_or_else(|| Trouble::refused(format!("{} does not say how large it is", host(&answer.uri))))?;
    Ok(known(answer, (key, size_bytes)))
}

/// The same, of an answer whose body may be a piece.
pub(super) fn known(answer: &Answer, (key, size_bytes): (&str, u64)) -> Stored {
    let text = |name: &str| answer.header(name).map(str::to_owned);
    Stored {
        key: key.to_owned(),
        size_bytes,
        tag: text(ETAG.as_str()),
        crc64: answer.header("x-amz-checksum-crc64nvme").and_then(crc64_of),
        digest: answer.header("repr-digest").and_then(repr_digest),
        content_type: text(CONTENT_TYPE.as_str()),
    }
}

/// The first digest of RFC 9530's field that is known here.
fn repr_digest(text: &str) -> Option<Digest> {
    text.split(',').find_map(|member| {
        let (name, value) = member.split_once('=')?;
        let algorithm = match name.trim() {
            "md5" => Algorithm::Md5,
            "sha" => Algorithm::Sha1,
            "sha-256" => Algorithm::Sha256,
            "sha-512" => Algorithm::Sha512,
            "crc32c" => Algorithm::Crc32c,
            _ => return None,
        };
        let value = value.trim().strip_prefix(':')?.strip_suffix(':')?;
        Digest::new(algorithm, STANDARD.decode(value).ok()?)
    })
}

/// The body of a range, once its head shows that it is of this content and this range.
pub(super) fn pieces(answer: Answer, (stored, range): (&Stored, Range<u64>)) -> Result<Pieces, Trouble> {
    let host = host(&answer.uri).to_owned();
    let is_other = |tag: &str| stored.tag.as_deref().is_some_and(|known| known != tag);
    if answer.header(ETAG.as_str()).is_some_and(is_other) {
        return Err(Trouble::gone("the file was replaced meanwhile"));
    }
    if answer.status.as_u16() == 206 {
        let place = answer.header(CONTENT_RANGE.as_str()).and_then(content_range);
        match place {
            Some((_, size_bytes)) if size_bytes != stored.size_bytes => {
                return Err(Trouble::gone("the file was replaced meanwhile"));
            }
            Some((place, _)) if place == range => {}
            Some(_) | None => {
                return Err(Trouble::refused(format!("{host} gives another range than was asked for")));
            }
        }
    } else if range != (0..stored.size_bytes) {
        return Err(Trouble::refused(format!("{host} gives files only whole"))
            .hint("`towline get` with `-` as its target needs no ranges: towline get … - > FILE"));
    }
    Ok(exactly(answer.frames(), range.end - range.start, host))
}

/// The place and the size of the whole: `bytes 0-9/100`.
pub(super) fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (place, size_bytes) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = place.split_once('-')?;
    Some((first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, size_bytes.parse().ok()?))
}

/// So many bytes, or an error at the end.
fn exactly(frames: Pieces, size_bytes: u64, host: String) -> Pieces {
    let pieces = stream::unfold(Some((frames, size_bytes, host)), |state| async {
        let (mut frames, left, host) = state?;
        match frames.next().await {
            Some(Ok(frame)) if frame.len() as u64 <= left => {
                let left = left - frame.len() as u64;
                Some((Ok(frame), Some((frames, left, host))))
            }
            Some(Ok(_)) => {
                Some((Err(Trouble::passing(format!("{host} sent more than was asked for"))), None))
            }
            Some(Err(trouble)) => Some((Err(trouble), None)),
            None if left == 0 => None,
            None => Some((Err(Trouble::passing(format!("{host} broke off in mid-answer"))), None)),
        }
    });
    pieces.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, 100)));
        for text in ["bytes */100", "bytes 0-9/*", "0-9/100", "bytes 0-18446744073709551615/1", ""] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }

    #[test]
    fn digests_of_the_whole_are_read() {
        assert_eq!(crc64_of("rosUhgp5mIg="), Some(0xae8b_1486_0a79_9888));
        assert_eq!(crc64_of("rosU"), None);
        let sha = "sha-256=:FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=:";
        for text in [sha.to_owned(), format!("unixsum=:AA==:, {sha}")] {
            assert_eq!(repr_digest(&text).unwrap().algorithm(), Algorithm::Sha256);
        }
        for text in ["", "sha-256=x", "sha-256=:AA==:"] {
            assert_eq!(repr_digest(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_range_that_ends_early_or_late_is_told() {
        let frames = |sizes: &[usize]| -> Pieces {
            let frames: Vec<Result<Bytes, Trouble>> =
                sizes.iter().map(|size| Ok(vec![7; *size].into())).collect();
            stream::iter(frames).boxed()
        };
        for (sizes, is_right) in [(&[3, 2][..], true), (&[3], false), (&[3, 3], false), (&[], false)] {
            let pieces: Vec<_> = exactly(frames(sizes), 5, "a".to_owned()).collect().await;
            assert_eq!(pieces.iter().all(Result::is_ok), is_right, "{sizes:?}");
        }
    }
}
