//! One file out of a form (RFC 7578), as a stream: at most a frame, a bounded head and, where they are asked for,
//! bounded fields are held at any time, and frames inside the file are handed on as they came.

use std::pin::Pin;

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
/// All fields before the file together, and how many there may be.
const FIELDS_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 200;

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
    frames(Form::new(body, boundary, name, None))
}

/// A form that has been read up to the bytes of its file.
pub(crate) struct Opened {
    /// What came before the file: names and texts, in their order.
    pub(crate) fields: Vec<(String, String)>,
    /// As the client names the file.
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) frames: Pin<Box<dyn Stream<Item = FrameResult> + Send>>,
}

/// Reads a form up to the first field of this name: all before it is kept, within bounds.
pub(crate) async fn open<S>(body: S, boundary: &str, name: &'static str) -> Result<Opened, BodyEnd>
where
    S: Stream<Item = FrameResult> + Send + Unpin + 'static,
{
    let mut form = Form::new(body, boundary, name, Some(Kept::default()));
    form.find().await?;
    let kept = form.kept.take().unwrap_or_default();
    let head = std::mem::take(&mut form.head);
    Ok(Opened {
        fields: kept.fields,
        filename: head.filename,
        content_type: head.content_type,
        frames: Box::pin(frames(form)),
    })
}

fn frames<S>(form: Form<S>) -> impl Stream<Item = FrameResult> + Send + use<S>
where
    S: Stream<Item = FrameResult> + Send + Unpin,
{
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
    /// Of the part that is read now.
    head: Head,
    /// The fields before the file, where they are asked for.
    kept: Option<Kept>,
}

/// Fields of a form that were read; the last one may be under way.
#[derive(Default)]
struct Kept {
    fields: Vec<(String, String)>,
    /// Of the field under way.
    content: Vec<u8>,
    bytes: usize,
}

/// What the headers of a part say.
#[derive(Default)]
struct Head {
    name: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the file: everything is skipped.
    Outside,
    Inside,
    Behind,
}

impl<S: Stream<Item = FrameResult> + Send + Unpin> Form<S> {
    fn new(body: S, boundary: &str, name: &'static str, kept: Option<Kept>) -> Self {
        Self {
            body,
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line before it: as if there were one, all are alike.
            held: Bytes::from_static(b"\r\n"),
            name,
            at: At::Outside,
            head: Head::default(),
            kept,
        }
    }

    /// Goes on to the first byte of the file.
    async fn find(&mut self) -> Result<(), BodyEnd> {
        while self.at == At::Outside {
            if self.skip_to_delimiter().await? {
                self.keep_field()?;
                self.read_head().await?;
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyEnd> {
        self.find().await?;
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
            let passed = self.held.split_to(at);
            self.pass(&passed)?;
            drop(self.held.split_to(self.delimiter.len()));
            return Ok(true);
        }
        let keep = suffix_that_begins(&self.held, &self.delimiter);
        let passed = self.held.split_to(self.held.len() - keep);
        self.pass(&passed)?;
        self.more().await?;
        Ok(false)
    }

    /// Content of a field that is not the file.
    fn pass(&mut self, content: &[u8]) -> Result<(), BodyEnd> {
        let Some(kept) = self.kept.as_mut().filter(|_| self.head.name.is_some()) else { return Ok(()) };
        kept.bytes += content.len();
        if kept.bytes > FIELDS_BYTES_MAX {
            let problem = "the form's fields before the file are too long: its field must be called";
            return Err(refuse(format!("{problem} '{}'", self.name)));
        }
        kept.content.extend_from_slice(content);
        Ok(())
    }

    /// The field under way is whole.
    fn keep_field(&mut self) -> Result<(), BodyEnd> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let content = std::mem::take(&mut kept.content);
        let Some(name) = self.head.name.take() else { return Ok(()) };
        if kept.fields.len() == FIELDS_MAX {
            return Err(refuse(format!("the form has too many fields before '{}'", self.name)));
        }
        // The first two bytes end the blank line before it.
        let text = String::from_utf8_lossy(content.get(2..).unwrap_or_default()).into_owned();
        kept.fields.push((name, text));
        Ok(())
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
        self.head = Head::read(&head);
        if self.head.name.as_deref() == Some(self.name) {
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

impl Head {
    fn read(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut read = Self::default();
        for (header, value) in text.split("\r\n").filter_map(|line| line.split_once(':')) {
            if header.trim().eq_ignore_ascii_case("content-disposition") {
                for (name, value) in params(value) {
                    match name.to_ascii_lowercase().as_str() {
                        "name" => read.name = read.name.or(Some(value)),
                        "filename" => read.filename = read.filename.or(Some(value)),
                        _ => {}
                    }
                }
            } else if header.trim().eq_ignore_ascii_case("content-type") {
                read.content_type = Some(value.trim().to_owned());
            }
        }
        read
    }
}

/// The parameters after a header's first value. Browsers write a quote in a name as `%22`, others as `\"`.
fn params(value: &str) -> Vec<(&str, String)> {
    let mut params = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, left) = if let Some(quoted) = after.strip_prefix('"') {
            let is_end = |(at, _): &(usize, &str)| !quoted[..*at].ends_with('\\');
            let end = quoted.match_indices('"').find(is_end).map_or(quoted.len(), |(at, _)| at);
            (quoted[..end].replace("\\\"", "\"").replace("%22", "\""), &quoted[end..])
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        params.push((name.trim(), value));
        rest = left.split_once(';').map_or("", |(_, rest)| rest);
    }
    params
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

    fn read_open(frames: Vec<Bytes>) -> Result<(Opened, Vec<u8>), String> {
        let body = stream::iter(frames.into_iter().map(Ok));
        let opened = open(body, "b", "file").now_or_never().expect("all frames are there");
        let mut opened = opened.map_err(|end| format!("{end:?}"))?;
        let frames: Vec<FrameResult> =
            opened.frames.as_mut().collect().now_or_never().expect("all are there");
        let content = frames.into_iter().flat_map(|frame| frame.unwrap().to_vec()).collect();
        Ok((opened, content))
    }

    #[test]
    fn the_fields_before_the_file_are_kept_and_its_name_is_read() {
        let text = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/b\r\n--b\r\n\
                    Content-Disposition: form-data; name=empty\r\n\r\n\r\n--b\r\n\
                    Content-Disposition: form-data; filename=\"x; name=%22y\\\".bin\"; name=\"file\"\r\n\
                    Content-Type: video/webm\r\n\r\ncontent\r\n--b--";
        for size in [1, 7, 1000] {
            let frames = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            let (opened, content) = read_open(frames).unwrap();
            let fields = [("key", "a/b"), ("empty", "")];
            assert_eq!(opened.fields, fields.map(|(name, text)| (name.to_owned(), text.to_owned())));
            assert_eq!(opened.filename.as_deref(), Some("x; name=\"y\".bin"));
            assert_eq!(opened.content_type.as_deref(), Some("video/webm"));
            assert_eq!(content, b"content");
        }
    }

    #[test]
    fn fields_before_the_file_are_bounded() {
        let head = "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
        let long = format!("--b{head}{}", "y".repeat(2 * FIELDS_BYTES_MAX));
        assert!(
            read_open(vec![long.into()]).err().unwrap().contains("too long: its field must be called 'file'")
        );
        let many = format!("--b{head}\r\n").repeat(FIELDS_MAX + 2);
        assert!(read_open(vec![many.into()]).err().unwrap().contains("too many fields before 'file'"));
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
            read(vec![Bytes::from(bytes.clone())], "b").ok();
            read_open(vec![Bytes::from(bytes)]).ok();
            params(&text);
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, format!("multipart/form-data;{text}").parse().unwrap());
            boundary(&headers);
        }
    }
}
