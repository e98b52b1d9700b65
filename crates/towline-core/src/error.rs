//! What can go wrong: a [`Refusal`] is an answer to the caller, a [`Fault`] an incident of ours. Status codes
//! are the doors' business.

use std::borrow::Cow;
use std::fmt;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::digest::Digest;
use crate::key::{Key, KeyProblem};
use crate::policy::Operation;
use crate::upload::{PhaseName, UploadId};

/// Every way an operation of the engine ends badly.
#[derive(Clone, Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Failed(#[from] Fault),
}

/// No, and why, and what to do next. Typed, comparable, safe to show to the caller. Each has an anchor in
/// `docs/errors.md` by its [`code`](Refusal::code).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("Upload session not found: {0}")]
    UploadNotFound(UploadId),
    #[error("Upload session is {0}")]
    NotOpen(PhaseName),
    #[error("{}", match .last { 0 => "This file is empty: it has no parts".to_owned(), last => format!("Part number {number} is not between 1 and {last}") })]
    PartOutOfRange { number: u64, last: u32 },
    #[error("Part {number} has {got_bytes} bytes, exactly {expected_bytes} are expected")]
    PartSize { number: u32, got_bytes: u64, expected_bytes: u64 },
    #[error("Part {number} is larger than the {allowed_bytes} bytes that fit")]
    PartTooLarge { number: u32, allowed_bytes: u64 },
    #[error("Checksum mismatch for part {number}: {} was declared, {} arrived", show(.declared), show(.actual))]
    PartDigest { number: u32, declared: Digest, actual: Digest },
    #[error("File integrity check failed. Hash mismatch: {} was declared, {} arrived", show(.declared), show(.actual))]
    WholeDigest { declared: Digest, actual: Digest },
    #[error("Missing parts: {}{}", list(.first), if *.count > .first.len() as u64 { format!(" and {} more", .count - .first.len() as u64) } else { String::new() })]
    MissingParts { first: Vec<u32>, count: u64 },
    #[error("Part {number} is not the one that landed: its ETag is another")]
    PartTag { number: u64 },
    #[error("Part {number} has {got_bytes} bytes, every part but the last needs at least {needed_bytes}")]
    PartTooSmall { number: u32, got_bytes: u64, needed_bytes: u64 },
    #[error("{landed_bytes} of {total_bytes} bytes have arrived")]
    MissingBytes { landed_bytes: u64, total_bytes: u64 },
    #[error("The total size has not been declared yet")]
    TotalUnknown,
    #[error("The total size was declared as {declared_bytes} bytes, it cannot become {got_bytes}")]
    TotalConflict { declared_bytes: u64, got_bytes: u64 },
    #[error("The file has {got_bytes} bytes, {allowed_bytes} are allowed")]
    TooLarge { got_bytes: u64, allowed_bytes: u64 },
    #[error("Parts of {wish_bytes} bytes do not fit: {why}")]
    PartBytes { wish_bytes: u64, why: String },
    #[error("The key {text:?} cannot be used: {problem}")]
    BadKey { text: String, problem: KeyProblem },
    #[error("The key {key:?} cannot be used: {obstacle:?} is already there as {}", if *.is_folder { "a folder" } else { "a file" })]
    KeyBlocked { key: Key, obstacle: String, is_folder: bool },
    #[error("The key {0:?} is taken and this server does not replace files")]
    KeyTaken(Key),
    #[error("{field}: {problem}")]
    BadField { field: Cow<'static, str>, problem: String },
    #[error("The offset is {expected}, not {got}")]
    OffsetMismatch { expected: u64, got: u64 },
    #[error("This upload is cut into parts, it cannot be appended to")]
    NotAppendable,
    #[error("A newer request has taken over")]
    TakenOver,
    #[error("The body ended after {got_bytes} bytes")]
    BodyCut { got_bytes: u64 },
    #[error("The body came too slowly and was cut after {got_bytes} bytes")]
    BodyTooSlow { got_bytes: u64 },
    #[error("The server is busy, try again in {} s", .retry_after.as_secs())]
    Busy { retry_after: Duration },
    #[error("This idempotency key was used before for another file")]
    IdempotencyConflict,
    #[error("Not allowed to {0} here")]
    Forbidden(Operation),
    #[error("There is no file {0:?}")]
    FileNotFound(Key),
    #[error("The store is full. Nothing that was acknowledged is lost: free some space, then go on")]
    StoreFull,
}

fn show(digest: &Digest) -> String {
    format!("{} {}", digest.algorithm(), digest.to_hex())
}

fn list(numbers: &[u32]) -> String {
    format!("{numbers:?}")
}

impl Refusal {
    /// The stable name: the anchor in `docs/errors.md` and the end of the problem's `type`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UploadNotFound(_) => "upload-not-found",
            Self::NotOpen(_) => "not-open",
            Self::PartOutOfRange { .. } => "part-out-of-range",
            Self::PartSize { .. } => "part-size",
            Self::PartTooLarge { .. } => "part-too-large",
            Self::PartDigest { .. } => "part-digest",
            Self::WholeDigest { .. } => "whole-digest",
            Self::MissingParts { .. } => "missing-parts",
            Self::PartTag { .. } => "part-tag",
            Self::PartTooSmall { .. } => "part-too-small",
            Self::MissingBytes { .. } => "missing-bytes",
            Self::TotalUnknown => "total-unknown",
            Self::TotalConflict { .. } => "total-conflict",
            Self::TooLarge { .. } => "too-large",
            Self::PartBytes { .. } => "part-bytes",
            Self::BadKey { .. } => "bad-key",
            Self::KeyBlocked { .. } => "key-blocked",
            Self::KeyTaken(_) => "key-taken",
            Self::BadField { .. } => "bad-field",
            Self::OffsetMismatch { .. } => "offset-mismatch",
            Self::NotAppendable => "not-appendable",
            Self::TakenOver => "taken-over",
            Self::BodyCut { .. } => "body-cut",
            Self::BodyTooSlow { .. } => "body-too-slow",
            Self::Busy { .. } => "busy",
            Self::IdempotencyConflict => "idempotency-conflict",
            Self::Forbidden(_) => "forbidden",
            Self::FileNotFound(_) => "file-not-found",
            Self::StoreFull => "store-full",
        }
    }
}

/// What kind of incident it was: enough for a door to choose between "try again" and "we are broken".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No room left where the bytes or facts live.
    Full,
    /// The store or catalog cannot be reached or is overloaded; trying again may help.
    Unavailable,
    /// What was stored is not what is read: an operator must look.
    Corrupt,
    /// Anything else.
    Internal,
}

impl FaultKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

/// An error with all its causes, for logs and operators. Callers are told less.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// An incident. `Display` says what was being done and never shows the source; a logger shows the [`chain`].
#[derive(Clone, Debug, Error)]
#[error("{kind} fault while {doing}", kind = .kind.name())]
pub struct Fault {
    kind: FaultKind,
    doing: Cow<'static, str>,
    #[source]
    source: Option<Cause>,
}

/// A shared cause, so that everyone who waited for the same work can be told.
#[derive(Clone)]
struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Fault {
    /// `doing` finishes the sentence "fault while …".
    pub fn new(
        kind: FaultKind,
        doing: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, doing: doing.into(), source: Some(Cause(Arc::from(source.into()))) }
    }

    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_tells_each_cause_once() {
        let cause = Fault::new(FaultKind::Full, "writing a part", "disk quota");
        let fault = Fault::new(FaultKind::Internal, "sealing", cause);
        assert_eq!(fault.to_string(), "internal fault while sealing");
        let told = "internal fault while sealing: full fault while writing a part: disk quota";
        assert_eq!(chain(&fault), told);
        assert_eq!(chain(&Error::from(fault)), told);
    }
}
