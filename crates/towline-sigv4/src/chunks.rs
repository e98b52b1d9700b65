//! Decodes bodies that come in chunks, signed or not, with trailers or without: S3's `aws-chunked`.
//!
//! Payload is handed on as slices of the frames it came in. Whether the whole has the length that was declared, and
//! whether a trailing checksum is the right one, is for the caller to see.

use bytes::{Buf as _, Bytes};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::canonical::{self, sha256};
use crate::claim::Claim;
use crate::encode;
use crate::key::{Signature, SigningKey};
use crate::payload::Chunking;

/// The longest head of a chunk, and the longest trailer.
const LINE_BYTES_MAX: usize = 1024;
/// The lines that may follow the last chunk.
const TRAILERS_MAX: usize = 16;
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Why a body in chunks is not what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Spoiled {
    /// S3 says `InvalidRequest`, or `IncompleteBody`.
    #[error("the chunks of the body are not written as they should be: {0}")]
    Malformed(&'static str),
    /// `SignatureDoesNotMatch`.
    #[error("the signature of a chunk or of the trailers is not the one that the secret key makes")]
    Mismatch,
    /// `IncompleteBody`.
    #[error("the body ended before its last chunk")]
    EndedEarly,
}

/// Decodes one body. What it hands out is proven only when [`Chunks::finish`] has said so: until then, nothing may
/// be kept for good.
#[derive(Debug)]
pub struct Chunks {
    /// What is left of the data of the chunk under way. Once it is nothing, lines follow.
    left: u64,
    next: Next,
    /// The beginning of a line whose end is not there yet.
    line: Vec<u8>,
    chunking: Chunking,
    chain: Option<Chain>,
    trailers: Vec<(String, String)>,
    trailer_lines: usize,
    trailers_are_proven: bool,
}

/// What the next line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    /// An empty one: the end of the data.
    DataEnd,
    Trailer,
}

impl Chunks {
    /// `claim` is the one of the request whose body this is, and `key` is the one that verified it.
    pub fn new(chunking: Chunking, claim: &Claim, key: &SigningKey) -> Self {
        let chain = match chunking {
            Chunking::Signed | Chunking::SignedTrailer => Some(Chain::new(claim, key)),
            Chunking::UnsignedTrailer => None,
        };
        Self {
            left: 0,
            next: Next::Head,
            line: Vec::new(),
            chunking,
            chain,
            trailers: Vec::new(),
            trailer_lines: 0,
            trailers_are_proven: false,
        }
    }

    /// Takes bytes from the front of `frame` and gives the next piece of payload in it; nothing once the frame is
    /// used up.
    pub fn decode(&mut self, frame: &mut Bytes) -> Result<Option<Bytes>, Spoiled> {
        while !frame.is_empty() {
            if self.left > 0 {
                return self.take_data(frame).map(Some);
            }
            if !self.take_line(frame)? {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match self.next {
                Next::Head => self.begin_chunk(text(&line)?)?,
                Next::DataEnd if line.is_empty() => self.next = Next::Head,
                Next::DataEnd => return Err(Spoiled::Malformed("more data than the chunk said")),
                Next::Trailer => self.take_trailer(text(&line)?)?,
            }
            self.line = cleared(line);
        }
        Ok(None)
    }

    /// Says, at the end of the body, that all of it was there and signed. Gives the trailers, their names in lower
    /// case, in the order they came.
    pub fn finish(mut self) -> Result<Vec<(String, String)>, Spoiled> {
        if self.next != Next::Trailer {
            return Err(Spoiled::EndedEarly);
        }
        // Some clients leave out the end of the last line.
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.take_trailer(text(&line)?)?;
        }
        if self.chunking == Chunking::SignedTrailer && !self.trailers_are_proven {
            return Err(Spoiled::EndedEarly);
        }
        Ok(self.trailers)
    }

    /// Moves bytes from the frame to the line; whether its end was among them.
    fn take_line(&mut self, frame: &mut Bytes) -> Result<bool, Spoiled> {
        let end = frame.iter().position(|byte| *byte == b'\n');
        let piece = &frame[..end.unwrap_or(frame.len())];
        if self.line.len() + piece.len() > LINE_BYTES_MAX {
            return Err(Spoiled::Malformed("a line that is too long"));
        }
        self.line.extend_from_slice(piece);
        frame.advance(end.map_or(frame.len(), |end| end + 1));
        if end.is_some() && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(end.is_some())
    }

    fn begin_chunk(&mut self, line: &str) -> Result<(), Spoiled> {
        let (size, extensions) = line.split_once(';').unwrap_or((line, ""));
        let is_size = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_size.then(|| u64::from_str_radix(size, 16).ok()).flatten();
        self.left = size.ok_or(Spoiled::Malformed("a size that is no hexadecimal number"))?;
        if let Some(chain) = &mut self.chain {
            let signature =
                extensions.split(';').find_map(|part| part.trim().strip_prefix("chunk-signature="));
            let signature = signature.ok_or(Spoiled::Malformed("a chunk without a signature"))?;
            chain.begin(signature)?;
        }
        if self.left > 0 {
            self.next = Next::DataEnd;
            return Ok(());
        }
        self.next = Next::Trailer;
        self.end_chunk()
    }

    fn take_data(&mut self, frame: &mut Bytes) -> Result<Bytes, Spoiled> {
        let taken = usize::try_from(self.left).map_or(frame.len(), |left| left.min(frame.len()));
        let piece = frame.split_to(taken);
        if let Some(chain) = &mut self.chain {
            chain.hashed.update(&piece);
        }
        self.left -= taken as u64;
        if self.left == 0 {
            self.end_chunk()?;
        }
        Ok(piece)
    }

    fn end_chunk(&mut self) -> Result<(), Spoiled> {
        self.chain.as_mut().map_or(Ok(()), Chain::end)
    }

    fn take_trailer(&mut self, line: &str) -> Result<(), Spoiled> {
        self.trailer_lines += 1;
        if self.trailer_lines > TRAILERS_MAX {
            return Err(Spoiled::Malformed("more trailers than anybody needs"));
        }
        // An empty line ends the trailers; some clients write one before them as well.
        if line.is_empty() {
            return Ok(());
        }
        if self.chunking == Chunking::Signed {
            return Err(Spoiled::Malformed("trailers that were not announced"));
        }
        if self.trailers_are_proven {
            return Err(Spoiled::Malformed("trailers after their signature"));
        }
        let (name, value) = line.split_once(':').ok_or(Spoiled::Malformed("a trailer without a colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        match &self.chain {
            Some(chain) if name == TRAILER_SIGNATURE => {
                chain.check_trailers(&self.trailers, &value)?;
                self.trailers_are_proven = true;
            }
            Some(_) | None => self.trailers.push((name, value)),
        }
        Ok(())
    }
}

fn text(line: &[u8]) -> Result<&str, Spoiled> {
    str::from_utf8(line).map_err(|_| Spoiled::Malformed("a line that is not UTF-8"))
}

/// The same allocation for the next line.
fn cleared(mut line: Vec<u8>) -> Vec<u8> {
    line.clear();
    line
}

/// The chain of signatures: each is made over the one before.
#[derive(Debug)]
struct Chain {
    key: SigningKey,
    /// Moment and scope, each with the end of its line.
    when: String,
    last: Signature,
    declared: Signature,
    hashed: Sha256,
}

impl Chain {
    fn new(claim: &Claim, key: &SigningKey) -> Self {
        Self {
            key: key.clone(),
            when: format!("{}\n{}\n", claim.moment, claim.scope),
            last: claim.signature,
            declared: claim.signature,
            hashed: Sha256::new(),
        }
    }

    fn begin(&mut self, signature: &str) -> Result<(), Spoiled> {
        self.declared = Signature::parse(signature)
            .ok_or(Spoiled::Malformed("a signature that is not 64 hexadecimal digits"))?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Spoiled> {
        let nothing = encode::hex(&sha256(b""));
        let data = encode::hex(&self.hashed.finalize_reset().into());
        self.last = self.check("-PAYLOAD", &[&nothing, b"\n", &data], self.declared)?;
        Ok(())
    }

    fn check_trailers(&self, trailers: &[(String, String)], signature: &str) -> Result<(), Spoiled> {
        let mut sorted: Vec<_> = trailers.iter().collect();
        sorted.sort();
        let mut lines = String::new();
        for (name, value) in sorted {
            canonical::push_header(name, [value.as_str()].into_iter(), &mut lines);
        }
        let declared = Signature::parse(signature).ok_or(Spoiled::Mismatch)?;
        let digest = encode::hex(&sha256(lines.as_bytes()));
        self.check("-TRAILER", &[&digest], declared).map(|_| ())
    }

    fn check(&self, what: &str, digests: &[&[u8]], declared: Signature) -> Result<Signature, Spoiled> {
        let first = [crate::ALGORITHM, what, "\n", &self.when].concat();
        let rest = [&self.last.hex()[..], b"\n", &digests.concat()].concat();
        let made = self.key.start(first.as_bytes()).finish(&rest);
        if made == declared { Ok(made) } else { Err(Spoiled::Mismatch) }
    }
}
