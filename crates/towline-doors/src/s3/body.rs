//! Bodies as S3's clients send them: as they are, or in chunks, with digests before them or behind them. The engine
//! gets the bytes as slices of the frames they came in.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _};
use towline_core::digest::{Algorithm, Digest, Digester};
use towline_core::engine::BodyEnd;
use towline_core::{Error, Refusal};
use towline_sigv4::Chunks;

use super::guard::{Cover, Signed};
use super::metadata;
use super::problem::{Denied, INCOMPLETE_BODY, INVALID_DIGEST, MALFORMED_TRAILER, MISSING_LENGTH, TOO_LONG};
use crate::DoorState;
use crate::declared::{self, AMZ, Framing};
use crate::form::FrameResult;
use crate::json::whole_number;
use crate::refused::Refused;

/// A body with what is said of it.
pub(super) struct Intake {
    /// Without the framing of chunks.
    pub(super) size_bytes: Option<u64>,
    /// Digests that the bytes must have.
    pub(super) declared: Vec<Digest>,
    pub(super) frames: Pin<Box<dyn Stream<Item = FrameResult> + Send>>,
    /// The digest that was signed for the body.
    signed: Option<Digest>,
    outcome: Arc<Mutex<Outcome>>,
}

/// What is known once the body has ended.
#[derive(Debug, Default)]
struct Outcome {
    /// The digest that stood behind the body, and was found true.
    trailing: Option<Digest>,
    /// Why the body was not read to its end.
    denied: Option<Denied>,
}

impl Intake {
    /// `declared` are the digests that the bytes must have.
    pub(super) fn new(
        signed: &Signed,
        declared: Vec<Digest>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Denied> {
        metadata::check_kept(headers)?;
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let frames = body.into_data_stream().map(|frame| frame.map_err(|_| BodyEnd::Cut));
        let length = |name: &str| headers.get(name)?.to_str().ok().and_then(whole_number);
        let mut intake = Self {
            size_bytes: length(CONTENT_LENGTH.as_str()),
            declared,
            frames: Box::pin(frames),
            signed: None,
            outcome: Arc::clone(&outcome),
        };
        match &signed.cover {
            Cover::Not => {}
            Cover::Sha256(digest) => {
                let digest = Digest::new(Algorithm::Sha256, digest.to_vec());
                intake.declared.extend(digest.clone());
                intake.signed = digest;
            }
            Cover::Chunks(chunking, chain) => {
                let (claim, key) = &**chain;
                intake.size_bytes = length("x-amz-decoded-content-length");
                let decoding = Decoding {
                    frames: intake.frames,
                    frame: Bytes::new(),
                    chunks: Some(Chunks::new(*chunking, claim, key)),
                    left: intake.size_bytes,
                    trailing: announced(headers).map(|algorithm| (algorithm, Digester::new([algorithm]))),
                    outcome,
                };
                intake.frames = Box::pin(decoding);
            }
        }
        Ok(intake)
    }

    /// Refuses a body whose length nobody says.
    pub(super) fn measured(self) -> Result<Self, Denied> {
        if self.size_bytes.is_none() {
            let message = "You must provide the Content-Length HTTP header.";
            return Err(Denied::new(MISSING_LENGTH, message));
        }
        Ok(self)
    }

    /// Why the engine refused this body, in the words of whoever knows best.
    pub(super) fn denied(&self, error: Error) -> Denied {
        if let Some(denied) = self.lock(|outcome| outcome.denied.clone()) {
            return denied;
        }
        match &error {
            Error::Refused(Refusal::PartDigest { declared, .. })
                if Some(declared) == self.signed.as_ref() =>
            {
                Denied::content_mismatch()
            }
            Error::Refused(_) | Error::Failed(_) => error.into(),
        }
    }

    /// The checksums of S3 that were declared and found true, with their headers.
    pub(super) fn proven(&self) -> Vec<(&'static str, Digest)> {
        let trailing = self.lock(|outcome| outcome.trailing.clone());
        // The signed one comes last, and may also have been declared as a checksum of its own.
        let signed = usize::from(self.signed.is_some());
        let declared = self.declared.iter().rev().skip(signed).rev();
        let known = |algorithm| AMZ.iter().find(|(_, known)| *known == algorithm).map(|(name, _)| *name);
        let named = declared.cloned().chain(trailing);
        named.filter_map(|digest| Some((known(digest.algorithm())?, digest))).collect()
    }

    /// Reads a small body whole and checks it.
    pub(super) async fn collect(mut self, state: &DoorState, bytes_max: usize) -> Result<Vec<u8>, Denied> {
        let reading = async {
            let mut body = Vec::new();
            while let Some(frame) = self.frames.next().await {
                let frame = frame.map_err(|_| {
                    let denied = self.lock(|outcome| outcome.denied.clone());
                    denied.unwrap_or_else(|| Refused::BodyCut.into())
                })?;
                if body.len() + frame.len() > bytes_max {
                    return Err(Denied::new(TOO_LONG, "Your request was too big."));
                }
                body.extend_from_slice(&frame);
            }
            Ok(body)
        };
        let read = tokio::time::timeout(state.settings.json_wait, reading).await;
        let body = read.map_err(|_| Denied::from(Refused::BodyLate))??;
        let mut digester = Digester::new(self.declared.iter().map(Digest::algorithm));
        digester.update(&body);
        let computed = digester.finish();
        for declared in &self.declared {
            let actual = computed.get(declared.algorithm()).expect("every declared digest is computed");
            if actual != *declared {
                let refusal = Refusal::PartDigest { number: 1, declared: declared.clone(), actual };
                return Err(self.denied(refusal.into()));
            }
        }
        Ok(body)
    }

    fn lock<T>(&self, look: impl FnOnce(&mut Outcome) -> T) -> T {
        look(&mut self.outcome.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn declared_digests(headers: &HeaderMap) -> Result<Vec<Digest>, Denied> {
    declared::of_part(headers, Framing::Raw).map_err(|refused| {
        Denied::new(INVALID_DIGEST, format!("The checksum you specified is not valid. {refused}"))
    })
}

/// The algorithm whose digest comes behind the body.
fn announced(headers: &HeaderMap) -> Option<Algorithm> {
    let names = headers.get("x-amz-trailer")?.to_str().ok()?;
    let known = |name: &str| AMZ.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    names.split(',').find_map(|name| known(name.trim())).map(|(_, algorithm)| *algorithm)
}

/// Takes a body out of its chunks.
struct Decoding {
    frames: Pin<Box<dyn Stream<Item = FrameResult> + Send>>,
    frame: Bytes,
    /// Gone once the body has ended.
    chunks: Option<Chunks>,
    /// How many bytes are still to come, where that was said.
    left: Option<u64>,
    /// The digest that comes behind the body, while it is computed.
    trailing: Option<(Algorithm, Digester)>,
    outcome: Arc<Mutex<Outcome>>,
}

impl Stream for Decoding {
    type Item = FrameResult;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FrameResult>> {
        let this = &mut *self;
        loop {
            let Some(chunks) = &mut this.chunks else {
                return Poll::Ready(None);
            };
            match chunks.decode(&mut this.frame) {
                Ok(None) => {}
                Ok(Some(piece)) => return Poll::Ready(Some(this.count(piece))),
                Err(spoiled) => return Poll::Ready(Some(Err(this.deny(spoiled.into())))),
            }
            match this.frames.as_mut().poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => this.frame = frame,
                Poll::Ready(Some(Err(end))) => {
                    this.chunks = None;
                    return Poll::Ready(Some(Err(end)));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(this.end().err().map(|denied| Err(this.deny(denied))));
                }
            }
        }
    }
}

impl Decoding {
    fn count(&mut self, piece: Bytes) -> FrameResult {
        if let Some(left) = &mut self.left {
            let Some(less) = left.checked_sub(piece.len() as u64) else {
                return Err(self.deny(wrong_length()));
            };
            *left = less;
        }
        if let Some((_, digester)) = &mut self.trailing {
            digester.update(&piece);
        }
        Ok(piece)
    }

    /// Checks what can only be checked at the end.
    fn end(&mut self) -> Result<(), Denied> {
        let Some(chunks) = self.chunks.take() else { return Ok(()) };
        let trailers = chunks.finish()?;
        if self.left.is_some_and(|left| left > 0) {
            return Err(wrong_length());
        }
        let Some((algorithm, digester)) = self.trailing.take() else {
            return Ok(());
        };
        let header = AMZ.iter().find(|(_, known)| *known == algorithm).map(|(name, _)| *name);
        let found = trailers.iter().find(|(name, _)| Some(name.as_str()) == header);
        let declared = found.and_then(|(_, value)| Digest::new(algorithm, STANDARD.decode(value).ok()?));
        let declared = declared.ok_or_else(|| {
            let message = "The request contained trailing data that was not well-formed or did not conform to our \
                           published schema.";
            Denied::new(MALFORMED_TRAILER, message)
        })?;
        let actual = digester.finish().get(algorithm).expect("it was asked for");
        if actual != declared {
            return Err(Refusal::PartDigest { number: 1, declared, actual }.into());
        }
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).trailing = Some(declared);
        Ok(())
    }

    /// The engine is told that the body ends here; the handler is told why.
    fn deny(&mut self, denied: Denied) -> BodyEnd {
        self.chunks = None;
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).denied = Some(denied);
        let problem = "is not what was announced".to_owned();
        BodyEnd::Refused(Refusal::BadField { field: "body".into(), problem })
    }
}

fn wrong_length() -> Denied {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    Denied::new(INCOMPLETE_BODY, message)
}
