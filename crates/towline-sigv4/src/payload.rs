//! What a signature says about the body: the value of `x-amz-content-sha256`.

use std::fmt;

use crate::encode;

/// How the body is covered by the signature. Displayed as it is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Not at all.
    Unsigned,
    /// The digest of the whole of it is signed.
    Sha256([u8; 32]),
    /// It comes in chunks.
    Chunked(Chunking),
}

/// How the chunks of a body are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunking {
    /// Each chunk is signed.
    Signed,
    /// Each chunk is signed, and so are the trailers.
    SignedTrailer,
    /// Nothing is signed; trailers follow.
    UnsignedTrailer,
}

impl Payload {
    /// Nothing for what is unknown here, as signatures by elliptic curves.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::Chunked(Chunking::Signed),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::Chunked(Chunking::SignedTrailer),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::Chunked(Chunking::UnsignedTrailer),
            digest => Self::Sha256(encode::from_hex(digest)?),
        })
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "UNSIGNED-PAYLOAD",
            Self::Chunked(Chunking::Signed) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::Chunked(Chunking::SignedTrailer) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::Chunked(Chunking::UnsignedTrailer) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            Self::Sha256(digest) => {
                let mut text = String::with_capacity(64);
                encode::push_hex(digest, &mut text);
                return f.write_str(&text);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for payload in [
            Payload::Unsigned,
            Payload::Sha256([7; 32]),
            Payload::Chunked(Chunking::Signed),
            Payload::Chunked(Chunking::SignedTrailer),
            Payload::Chunked(Chunking::UnsignedTrailer),
        ] {
            assert_eq!(Payload::parse(&payload.to_string()), Some(payload));
        }
        for text in ["", "unsigned-payload", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "abc"] {
            assert_eq!(Payload::parse(text), None, "{text}");
        }
    }
}
