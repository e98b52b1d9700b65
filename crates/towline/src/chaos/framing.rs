//! Where messages of HTTP/1.1 begin and end. Pure: bytes go in, nothing is kept of them but where we are.

use httparse::{EMPTY_HEADER, Header, Status};

/// A head that is longer is none that anybody sends.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start<T> {
    /// More bytes will show it.
    Unclear,
    /// Something else than HTTP/1.1.
    Foreign,
    /// A head of so many bytes.
    Head(usize, T),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) is_head: bool,
    pub(super) is_connect: bool,
    pub(super) rest: Rest,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) rest: Rest,
}

/// What is still to come of a message after its head.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Rest {
    #[default]
    Nothing,
    Bytes(u64),
    Chunks(Chunks),
    /// All until the connection ends.
    Everything,
}

/// A body does not keep to its own framing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Rest {
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// How many of these bytes belong to the message.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let taken = match self {
            Self::Nothing => 0,
            Self::Everything => bytes.len(),
            Self::Bytes(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                taken
            }
            Self::Chunks(chunks) => chunks.take(bytes)?,
        };
        if matches!(self, Self::Bytes(0) | Self::Chunks(Chunks::Done)) {
            *self = Self::Nothing;
        }
        Ok(taken)
    }
}

/// Where in a chunked body we are (RFC 9112, section 7.1).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    Size { bytes: u64, has_digits: bool },
    Extension { bytes: u64 },
    Data { left_bytes: u64 },
    DataEnd,
    Trailer { is_empty: bool },
    Done,
}

impl Chunks {
    pub(super) fn begin() -> Self {
        Self::Size { bytes: 0, has_digits: false }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() && *self != Self::Done {
            if let Self::Data { left_bytes } = self {
                let taken = usize::try_from(*left_bytes).unwrap_or(usize::MAX).min(bytes.len() - at);
                *left_bytes -= taken as u64;
                at += taken;
                if *left_bytes == 0 {
                    *self = Self::DataEnd;
                }
            } else {
                self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), Broken> {
        let next = match (&*self, byte) {
            (Self::Size { bytes, .. }, digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).ok_or(Broken)?;
                let bytes = bytes.checked_mul(16).ok_or(Broken)? | u64::from(value);
                Self::Size { bytes, has_digits: true }
            }
            (Self::Size { has_digits: false, .. }, _) => return Err(Broken),
            (Self::Size { bytes: 0, .. } | Self::Extension { bytes: 0 }, b'\n') => {
                Self::Trailer { is_empty: true }
            }
            (Self::Size { bytes, .. } | Self::Extension { bytes }, b'\n') => {
                Self::Data { left_bytes: *bytes }
            }
            (Self::Size { bytes, .. }, b';' | b' ' | b'\t' | b'\r') | (Self::Extension { bytes }, _) => {
                Self::Extension { bytes: *bytes }
            }
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::begin(),
            (Self::Trailer { is_empty: true }, b'\n') => Self::Done,
            (Self::Trailer { .. }, b'\n') | (Self::Trailer { is_empty: true }, b'\r') => {
                Self::Trailer { is_empty: true }
            }
            (Self::Trailer { .. }, _) => Self::Trailer { is_empty: false },
            (Self::Size { .. } | Self::DataEnd | Self::Data { .. } | Self::Done, _) => return Err(Broken),
        };
        *self = next;
        Ok(())
    }
}

pub(super) fn request(bytes: &[u8]) -> Start<Request> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(Status::Complete(head_bytes)) => {
            let method = head.method.unwrap_or_default();
            let (is_head, is_connect) = (method == "HEAD", method == "CONNECT");
            match framing(head.headers) {
                Framing::None => {
                    Start::Head(head_bytes, Request { is_head, is_connect, rest: Rest::Nothing })
                }
                Framing::Rest(rest) => Start::Head(head_bytes, Request { is_head, is_connect, rest }),
                // A request cannot end with its connection, since then there would be no way to answer it.
                Framing::Unknown => Start::Foreign,
            }
        }
        Ok(Status::Partial) => unclear(bytes),
        Err(_) => Start::Foreign,
    }
}

/// The reply to a request; `is_head` when that wanted the head only.
pub(super) fn reply(bytes: &[u8], is_head: bool) -> Start<Reply> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes) {
        Ok(Status::Complete(head_bytes)) => {
            let status = head.code.unwrap_or_default();
            let has_no_body = is_head || matches!(status, 100..200 | 204 | 304);
            let rest = match framing(head.headers) {
                _ if has_no_body => Rest::Nothing,
                Framing::Rest(rest) => rest,
                Framing::None | Framing::Unknown => Rest::Everything,
            };
            Start::Head(head_bytes, Reply { status, rest })
        }
        Ok(Status::Partial) => unclear(bytes),
        Err(_) => Start::Foreign,
    }
}

fn unclear<T>(bytes: &[u8]) -> Start<T> {
    if bytes.len() < HEAD_BYTES_MAX { Start::Unclear } else { Start::Foreign }
}

/// What headers say of a body (RFC 9112, section 6.3).
enum Framing {
    None,
    Rest(Rest),
    Unknown,
}

fn framing(headers: &[Header<'_>]) -> Framing {
    let of = |name: &str| headers.iter().rev().find(|header| header.name.eq_ignore_ascii_case(name));
    if let Some(codings) = of("transfer-encoding") {
        let last = codings.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        return if is_chunked { Framing::Rest(Rest::Chunks(Chunks::begin())) } else { Framing::Unknown };
    }
    let Some(length) = of("content-length") else {
        return Framing::None;
    };
    match std::str::from_utf8(length.value.trim_ascii()).ok().and_then(|length| length.parse().ok()) {
        Some(0) => Framing::Rest(Rest::Nothing),
        Some(bytes) => Framing::Rest(Rest::Bytes(bytes)),
        None => Framing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_head_says_what_follows() {
        let chunked = || Rest::Chunks(Chunks::begin());
        for (head, rest) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Rest::Nothing)),
            ("\r\nGET / HTTP/1.1\r\n\r\n", Some(Rest::Nothing)),
            ("PUT / HTTP/1.1\r\ncontent-length:  7 \r\n\r\n", Some(Rest::Bytes(7))),
            ("PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Some(Rest::Nothing)),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", Some(chunked())),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", None),
            ("PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\n", None),
            ("EHLO mail.example\r\n", None),
            ("SSH-2.0-OpenSSH_9.6\r\n", None),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
            ("\u{16}\u{3}\u{1}", None),
        ] {
            match (request(head.as_bytes()), rest) {
                (Start::Head(bytes, request), Some(rest)) => {
                    assert_eq!((bytes, request.rest), (head.len(), rest), "{head}");
                }
                (Start::Foreign, None) => (),
                (found, wanted) => panic!("{head}: {found:?}, not {wanted:?}"),
            }
        }
        assert_eq!(request(b"PUT / HT"), Start::Unclear);
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(request(endless.as_bytes()), Start::Foreign);
    }

    #[test]
    fn a_reply_ends_where_its_request_and_its_status_say() {
        for (head, is_head, rest) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, Rest::Bytes(5)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, Rest::Nothing),
            ("HTTP/1.1 100 Continue\r\n\r\n", false, Rest::Nothing),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, Rest::Nothing),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, Rest::Nothing),
            ("HTTP/1.0 200 OK\r\n\r\n", false, Rest::Everything),
        ] {
            let Start::Head(_, reply) = reply(head.as_bytes(), is_head) else {
                panic!("{head}");
            };
            assert_eq!(reply.rest, rest, "{head}");
        }
    }

    #[test]
    fn chunks_end_with_their_trailers() {
        for (body, ends_before) in [
            ("0\r\n\r\nGET", "GET"),
            ("5\r\nhello\r\n0\r\n\r\nGET", "GET"),
            ("5;name=\"v\"\r\nhello\r\n00\r\nx-crc: 1\r\n\r\nGET", "GET"),
            ("A\r\n0\r\n\r\n12345\r\n0\r\n\r\n", ""),
        ] {
            // However the bytes are cut into pieces.
            for piece_bytes in 1..=body.len() {
                let mut rest = Rest::Chunks(Chunks::begin());
                let mut taken = 0;
                for piece in body.as_bytes().chunks(piece_bytes) {
                    taken += rest.take(piece).unwrap();
                }
                assert!(rest.is_nothing(), "{body:?}");
                assert_eq!(&body[taken..], ends_before);
            }
        }
        for body in ["\r\n", "x\r\n", "5\r\nhelloX", "fffffffffffffffff\r\n"] {
            assert_eq!(Rest::Chunks(Chunks::begin()).take(body.as_bytes()), Err(Broken), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_a_parser_panic_or_read_on(
            bytes in any::<Vec<u8>>(),
            text in "(GET|HTTP/1.1) [0-9a-f;:\r\n ]{0,200}",
        ) {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Start::Head(head_bytes, _) = request(bytes) {
                    prop_assert!(head_bytes <= bytes.len());
                }
                if let Start::Head(head_bytes, _) = reply(bytes, false) {
                    prop_assert!(head_bytes <= bytes.len());
                }
                if let Ok(taken) = Rest::Chunks(Chunks::begin()).take(bytes) {
                    prop_assert!(taken <= bytes.len());
                }
            }
        }
    }
}
