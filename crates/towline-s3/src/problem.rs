//! What can go wrong with a request, and which fault it becomes. Neither a URL nor a secret is in it.

use std::time::Duration;

use http::StatusCode;
use thiserror::Error;
use towline_core::error::{Fault, FaultKind};

/// How much of what a server says of an error is kept.
const MESSAGE_CHARS: usize = 300;

/// Codes of what may be answered well when it is asked again, whatever their status. A digest that is not that of the
/// bytes was right when it left here.
const AGAIN: [&str; 7] = [
    "SlowDown",
    "RequestTimeout",
    "Throttling",
    "InternalError",
    "BadDigest",
    "OperationAborted",
    "ConditionalRequestConflict",
];

/// Why there is no good answer.
#[derive(Debug, Error)]
pub enum Problem {
    #[error("S3 answered {status} {code}: {message}")]
    Refused {
        status: StatusCode,
        code: String,
        message: String,
        /// Where the bucket is, when that is the problem.
        region: Option<String>,
        /// How long it wished to be left alone.
        retry_after: Option<Duration>,
    },
    #[error("the connection to S3 failed")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("S3 did not answer in time")]
    TimedOut,
    #[error("S3's answer cannot be understood: {0}")]
    Garbled(String),
    #[error("S3 stored a part with the digest {stored}, {sent} was sent")]
    Differs { sent: String, stored: String },
    #[error(transparent)]
    Ours(Fault),
}

impl Problem {
    /// What a server says of itself is bounded, and printable.
    pub fn refused(status: StatusCode, code: &str, message: &str) -> Self {
        let clean = |text: &str| {
            text.chars().take(MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
        };
        Self::Refused { status, code: clean(code), message: clean(message), region: None, retry_after: None }
    }

    /// Adds what the answer said beside its document.
    #[must_use]
    pub fn told(self, region: Option<&str>, retry_after: Option<Duration>) -> Self {
        match self {
            Self::Refused { status, code, message, .. } => {
                Self::Refused { status, code, message, region: region.map(str::to_owned), retry_after }
            }
            Self::Broken(_) | Self::TimedOut | Self::Garbled(_) | Self::Differs { .. } | Self::Ours(_) => {
                self
            }
        }
    }

    /// Where the bucket is, when the request was signed for another region.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Refused { region, .. } => region.as_deref(),
            Self::Broken(_) | Self::TimedOut | Self::Garbled(_) | Self::Differs { .. } | Self::Ours(_) => {
                None
            }
        }
    }

    /// An answer that is not what it should be.
    pub fn garbled(error: impl std::fmt::Display) -> Self {
        Self::Garbled(error.to_string().chars().take(MESSAGE_CHARS).collect())
    }

    /// S3's own word for it; empty where there is none.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Broken(_) | Self::TimedOut | Self::Garbled(_) | Self::Differs { .. } | Self::Ours(_) => "",
        }
    }

    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Broken(_) | Self::TimedOut | Self::Garbled(_) | Self::Differs { .. } | Self::Ours(_) => {
                None
            }
        }
    }

    /// Something is not there: an object, an upload or the whole bucket.
    pub fn is_missing(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    pub fn is_upload_missing(&self) -> bool {
        self.code() == "NoSuchUpload"
    }

    /// Whether lent credentials ran out.
    pub fn is_stale(&self) -> bool {
        matches!(self.code(), "ExpiredToken" | "ExpiredTokenException" | "InvalidToken")
    }

    /// Whether the same request may be answered well a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                let is_busy = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504);
                is_busy || AGAIN.contains(&code.as_str())
            }
            Self::Broken(_) | Self::TimedOut | Self::Garbled(_) | Self::Differs { .. } => true,
            Self::Ours(_) => false,
        }
    }

    fn kind(&self) -> FaultKind {
        match self {
            Self::Refused { status, code, .. } => {
                let is_full = *status == StatusCode::INSUFFICIENT_STORAGE
                    || code.contains("Quota")
                    || code.contains("StorageFull")
                    || code.contains("InsufficientCapacity");
                if is_full {
                    FaultKind::Full
                } else if self.may_pass() {
                    FaultKind::Unavailable
                } else if self.is_upload_missing() {
                    FaultKind::Corrupt
                } else {
                    FaultKind::Internal
                }
            }
            Self::Broken(_) | Self::TimedOut => FaultKind::Unavailable,
            Self::Differs { .. } => FaultKind::Corrupt,
            Self::Garbled(_) | Self::Ours(_) => FaultKind::Internal,
        }
    }

    /// The fault of a store that did this.
    pub fn fault(self, doing: &'static str) -> Fault {
        match self {
            Self::Ours(fault) => fault,
            Self::Refused { .. }
            | Self::Broken(_)
            | Self::TimedOut
            | Self::Garbled(_)
            | Self::Differs { .. } => Fault::new(self.kind(), doing, self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_become_the_faults_that_they_are() {
        for (status, code, kind, may_pass) in [
            (503, "SlowDown", FaultKind::Unavailable, true),
            (500, "InternalError", FaultKind::Unavailable, true),
            (429, "", FaultKind::Unavailable, true),
            (400, "RequestTimeout", FaultKind::Unavailable, true),
            (403, "AccessDenied", FaultKind::Internal, false),
            (403, "QuotaExceeded", FaultKind::Full, false),
            (507, "", FaultKind::Full, false),
            (404, "NoSuchUpload", FaultKind::Corrupt, false),
            (404, "NoSuchBucket", FaultKind::Internal, false),
        ] {
            let problem = Problem::refused(StatusCode::from_u16(status).unwrap(), code, "because\nof it");
            assert_eq!(problem.may_pass(), may_pass, "{code}");
            let fault = problem.fault("writing a part");
            assert_eq!(fault.kind(), kind, "{code}");
            let told = towline_core::error::chain(&fault);
            assert!(told.ends_with(": because of it") && told.contains(code), "{told}");
        }
    }
}
