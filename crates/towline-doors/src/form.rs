//! One file out of a form (RFC 7578), as a stream: at most a frame and a bounded head are held at any time, and
//! frames inside the file are handed on as they came.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use memchr::memmem;
use towline_core::Refusal;
use towline_core::engine::BodyEnd;

/// A part's own headers, and what may stand between a boundary and the end of its line.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// RFC 2046 allows 70.
const BOUNDARY_BYTES_MAX: usize = 200;

/// The boundary of a form, when the body is one.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<Result<String, Refusal>> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (kind, params) = text.split_once(';').unwrap_or((text, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found = params
        .split(';')
        .filter_map(|param| param.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| (1..=BOUNDARY_BYTES_MAX).contains(&value.len()));
    Some(found.map(str::to_owned).ok_or_else(|| Refusal::BadField {
        field: "Content-Type".into(),
        problem: "is a form's, but names no boundary".to_owned(),
    }))
}

/// The bytes of the first field of this name.
pub(crate) fn file<S>(
    body: S,
    boundary: &str,
    name: &'static str,
) -> impl Stream<Item = FrameResult> + Send + use<S>
where
    S: Stream<Item = FrameResult> + Send + Unpin,
{
    let form = Form {
        body,
        delimiter: format!("\r\n--{boundary}").into_bytes(),
        // The first boundary has no line before it: as if there were one, all are alike.
        held: Bytes::from_static(b"\r\n"),
        name,
        at: At::Outside,
    };
    stream::unfold(Some(form), |form| async {
        let mut form = form?;
        match form.next().await {
            Ok(Some(frame)) => Some((Ok(frame), Some(form))),
            Ok(None) => None,
            Err(end) => Some((Err(end), None)),
        }
    })
}

pub(crate) type FrameResult = Result<Bytes, BodyEnd>;

struct Form<S> {
    body: S,
    delimiter: Vec<u8>,
    /// What has come and is not handed on yet.
    held: Bytes,
    name: &'static str,
    at: At,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the file: everything is skipped.
    Outside,
    Inside,
    Behind,
}

impl<S: Stream<Item = FrameResult> + Send + Unpin> Form<S> {
    async fn next(&mut self) -> Result<Option<Bytes>, BodyEnd> {
        while self.at == At::Outside {
            if self.skip_to_delimiter().await? {
                self.read_head().await?;
            }
        }
        while self.at == At::Inside {
            if let Some(at) = memmem::find(&self.held, &self.delimiter) {
                self.at = At::Behind;
                let last = self.held.split_to(at);
                return Ok((!last.is_empty()).then_some(last));
            }
            let keep = suffix_that_begins(&self.held, &self.delimiter);
            let frame = self.held.split_to(self.held.len() - keep);
            if !frame.is_empty() {
                return Ok(Some(frame));
            }
            self.more().await?;
        }
        Ok(None)
    }

    /// Whether a delimiter was found in what is held; what cannot belong to one is dropped.
    async fn skip_to_delimiter(&mut self) -> Result<bool, BodyEnd> {
        if let Some(at) = memmem::find(&self.held, &self.delimiter) {
            drop(self.held.split_to(at + self.delimiter.len()));
            return Ok(true);
        }
        let keep = suffix_that_begins(&self.held, &self.delimiter);
        drop(self.held.split_to(self.held.len() - keep));
        self.more().await?;
        Ok(false)
    }

    /// Reads the rest of a boundary's line and the headers after it; enters the file when it is the one.
    async fn read_head(&mut self) -> Result<(), BodyEnd> {
        while self.held.len() < 2 {
            self.more().await?;
        }
        if self.held.starts_with(b"--") {
            return Err(refuse(format!("the form has no field '{}'", self.name)));
        }
        let head = loop {
            if let Some(at) = memmem::find(&self.held, b"\r\n\r\n") {
                break self.held.split_to(at + 4);
            }
            if self.held.len() > HEAD_BYTES_MAX {
                return Err(refuse("a part's headers in the form are too long".to_owned()));
            }
            self.more().await?;
        };
        if is_named(&head, self.name) {
            self.at = At::Inside;
        } else {
            // A part without content: the blank line's end is the start of its delimiter.
            let mut held = BytesMut::from(&b"\r\n"[..]);
            held.extend_from_slice(&self.held);
            self.held = held.freeze();
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), BodyEnd> {
        let Some(frame) = self.body.next().await else {
            return Err(refuse("the form ends before its last boundary".to_owned()));
        };
        let frame = frame?;
        if self.held.is_empty() {
            self.held = frame;
        } else {
            let mut joined = BytesMut::with_capacity(self.held.len() + frame.len());
            joined.extend_from_slice(&self.held);
            joined.extend_from_slice(&frame);
            self.held = joined.freeze();
        }
        Ok(())
    }
}

fn refuse(problem: String) -> BodyEnd {
    BodyEnd::Refused(Refusal::BadField { field: "body".into(), problem })
}

/// How many of the last bytes could be the start of a delimiter.
fn suffix_that_begins(held: &[u8], delimiter: &[u8]) -> usize {
    let longest = held.len().min(delimiter.len() - 1);
    (1..=longest).rev().find(|length| held[held.len() - length..] == delimiter[..*length]).unwrap_or(0)
}

/// Whether a part's headers give it this name.
fn is_named(head: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(head);
    let disposition = text.split("\r\n").find_map(|line| {
        let (header, value) = line.split_once(':')?;
        header.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    disposition.is_some_and(|value| {
        value.split(';').filter_map(|param| param.trim().split_once('=')).any(|(key, value)| {
            key.trim().eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == name
        })
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    fn form(content: &[u8], boundary: &str) -> Vec<u8> {
        let mut form = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a; name=b.bin\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        form.extend_from_slice(content);
        form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        form
    }

    fn read(frames: Vec<Bytes>, boundary: &str) -> Result<Vec<u8>, String> {
        let body = stream::iter(frames.into_iter().map(Ok));
        let frames: Vec<FrameResult> =
            file(body, boundary, "file").collect().now_or_never().expect("all frames are there");
        let mut content = Vec::new();
        for frame in frames {
            match frame {
                Ok(frame) => content.extend_from_slice(&frame),
                Err(BodyEnd::Refused(refusal)) => return Err(refusal.to_string()),
                Err(BodyEnd::Cut) => return Err("cut".to_owned()),
            }
        }
        Ok(content)
    }

    #[test]
    fn the_file_is_found_behind_other_fields() {
        let whole = Bytes::from(form(b"content\r\n--", "xyz"));
        assert_eq!(read(vec![whole], "xyz").unwrap(), b"content\r\n--");
    }

    #[test]
    fn an_empty_part_and_an_empty_file_are_read() {
        let text = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--b\r\n\
                    content-disposition: form-data; name=file\r\n\r\n\r\n--b--";
        assert_eq!(read(vec![text.into()], "b").unwrap(), b"");
    }

    #[test]
    fn a_frame_inside_the_file_is_handed_on_without_a_copy() {
        let head = Bytes::from("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n");
        let inner = Bytes::from(vec![7_u8; 1000]);
        let at = inner.as_ptr();
        let body = stream::iter([head, inner, Bytes::from("\r\n--b--")].map(Ok));
        let frames: Vec<FrameResult> = file(body, "b", "file").collect().now_or_never().unwrap();
        assert_eq!(frames[0].as_ref().unwrap().as_ptr(), at);
    }

    #[test]
    fn what_is_no_such_form_is_refused_in_words() {
        let cases = [
            ("", "ends before"),
            ("--b--", "has no field 'file'"),
            ("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--", "has no field"),
            ("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf", "ends before"),
            ("--c\r\n\r\n", "ends before"),
        ];
        for (text, problem) in cases {
            let got = read(vec![text.into()], "b").unwrap_err();
            assert!(got.contains(problem), "{text:?}: {got}");
        }
        let endless = format!("--b\r\nX: {}", "y".repeat(2 * HEAD_BYTES_MAX));
        assert!(read(vec![endless.into()], "b").unwrap_err().contains("too long"));
    }

    #[test]
    fn the_boundary_comes_from_the_content_type() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, text.parse().unwrap());
            boundary(&headers)
        };
        assert_eq!(of("multipart/form-data; boundary=abc"), Some(Ok("abc".to_owned())));
        assert_eq!(of("Multipart/Form-Data;charset=x; Boundary=\"a b\""), Some(Ok("a b".to_owned())));
        assert!(matches!(of("multipart/form-data"), Some(Err(_))));
        assert_eq!(of("application/octet-stream"), None);
    }

    proptest! {
        #[test]
        fn any_content_comes_out_however_it_is_cut(
            content in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'-')], 0..400),
            cuts in prop::collection::vec(1_usize..60, 1..60),
        ) {
            let boundary = "-X-";
            prop_assume!(memmem::find(&content, b"\r\n---X-").is_none());
            let mut rest = Bytes::from(form(&content, boundary));
            let mut frames = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !rest.is_empty() {
                let length = cuts.next().unwrap().min(rest.len());
                frames.push(rest.split_to(length));
            }
            prop_assert_eq!(read(frames, boundary).unwrap(), content);
        }

        #[test]
        fn no_form_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[ -~]{0,60}") {
            read(vec![Bytes::from(bytes)], "b").ok();
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, format!("multipart/form-data;{text}").parse().unwrap());
            boundary(&headers);
        }
    }
}
