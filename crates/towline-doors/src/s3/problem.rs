//! The refusals of S3: its codes, its statuses, its XML. One table says which refusal of ours is which of its codes.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use towline_core::key::KeyProblem;
use towline_core::{Error, FaultKind, Refusal};
use towline_sigv4::{Denial, Means, Spoiled};
use tracing::Span;

use super::xml::Element;
use crate::refused::Refused;

/// A code of S3 and the status that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) &'static str, pub(super) StatusCode);

const BAD: StatusCode = StatusCode::BAD_REQUEST;
const DENIED: StatusCode = StatusCode::FORBIDDEN;
const ABSENT: StatusCode = StatusCode::NOT_FOUND;

pub(super) const ACCESS_DENIED: Code = Code("AccessDenied", DENIED);
pub(super) const BAD_DIGEST: Code = Code("BadDigest", BAD);
pub(super) const ENTITY_TOO_LARGE: Code = Code("EntityTooLarge", BAD);
pub(super) const ENTITY_TOO_SMALL: Code = Code("EntityTooSmall", BAD);
pub(super) const INCOMPLETE_BODY: Code = Code("IncompleteBody", BAD);
pub(super) const INVALID_ARGUMENT: Code = Code("InvalidArgument", BAD);
pub(super) const INVALID_DIGEST: Code = Code("InvalidDigest", BAD);
pub(super) const INVALID_PART: Code = Code("InvalidPart", BAD);
pub(super) const INVALID_PART_ORDER: Code = Code("InvalidPartOrder", BAD);
pub(super) const INVALID_POLICY: Code = Code("InvalidPolicyDocument", BAD);
pub(super) const INVALID_REQUEST: Code = Code("InvalidRequest", BAD);
pub(super) const MALFORMED_FORM: Code = Code("MalformedPOSTRequest", BAD);
pub(super) const MALFORMED_TRAILER: Code = Code("MalformedTrailerError", BAD);
pub(super) const MALFORMED_XML: Code = Code("MalformedXML", BAD);
pub(super) const METHOD_NOT_ALLOWED: Code = Code("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED);
pub(super) const MISSING_LENGTH: Code = Code("MissingContentLength", StatusCode::LENGTH_REQUIRED);
pub(super) const NOT_IMPLEMENTED: Code = Code("NotImplemented", StatusCode::NOT_IMPLEMENTED);
pub(super) const NO_SUCH_BUCKET: Code = Code("NoSuchBucket", ABSENT);
pub(super) const NO_SUCH_KEY: Code = Code("NoSuchKey", ABSENT);
pub(super) const NO_SUCH_UPLOAD: Code = Code("NoSuchUpload", ABSENT);
pub(super) const PRECONDITION_FAILED: Code = Code("PreconditionFailed", StatusCode::PRECONDITION_FAILED);
pub(super) const SIGNATURE_MISMATCH: Code = Code("SignatureDoesNotMatch", DENIED);
pub(super) const TOO_LONG: Code = Code("MaxMessageLengthExceeded", BAD);
pub(super) const UNKNOWN_KEY: Code = Code("InvalidAccessKeyId", DENIED);
pub(super) const EXPIRED_TOKEN: Code = Code("ExpiredToken", BAD);
const CONTENT_MISMATCH: Code = Code("XAmzContentSHA256Mismatch", BAD);
const HEADER_MALFORMED: Code = Code("AuthorizationHeaderMalformed", BAD);
const QUERY_MALFORMED: Code = Code("AuthorizationQueryParametersError", BAD);
const SKEWED: Code = Code("RequestTimeTooSkewed", DENIED);
const KEY_TOO_LONG: Code = Code("KeyTooLongError", BAD);
const ABORTED: Code = Code("OperationAborted", StatusCode::CONFLICT);
const TIMEOUT: Code = Code("RequestTimeout", BAD);
const SLOW_DOWN: Code = Code("SlowDown", StatusCode::SERVICE_UNAVAILABLE);
const UNAVAILABLE: Code = Code("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE);
const INTERNAL: Code = Code("InternalError", StatusCode::INTERNAL_SERVER_ERROR);
const INVALID_RANGE: Code = Code("InvalidRange", StatusCode::RANGE_NOT_SATISFIABLE);
/// S3 has no word for it: its disks are never full.
const FULL: Code = Code("InsufficientStorage", StatusCode::INSUFFICIENT_STORAGE);

/// How long to wait after a fault that may pass.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(5);

/// A no of S3's.
#[derive(Clone, Debug)]
pub(super) struct Denied {
    code: Code,
    message: String,
    more: Box<More>,
}

/// What only some refusals have.
#[derive(Clone, Debug, Default)]
struct More {
    /// Further elements of the error's document.
    details: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
    content_range: Option<String>,
    /// An incident, for the log and not for the client.
    cause: Option<Refused>,
}

/// What every error names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) resource: &'a str,
    pub(super) request_id: &'a str,
    pub(super) is_head: bool,
}

impl Denied {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), more: Box::default() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.more.details.push((name, value.into()));
        self
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    fn retry_after(mut self, wait: Duration) -> Self {
        self.more.retry_after = Some(wait);
        self
    }

    fn because(mut self, cause: Refused) -> Self {
        self.more.cause = Some(cause);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn no_such_key(key: &str) -> Self {
        Self::new(NO_SUCH_KEY, "The specified key does not exist.").with("Key", key)
    }

    pub(super) fn no_such_upload(id: &str) -> Self {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
                       been aborted or completed.";
        Self::new(NO_SUCH_UPLOAD, message).with("UploadId", id)
    }

    pub(super) fn precondition(condition: &'static str) -> Self {
        Self::new(PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold")
            .with("Condition", condition)
    }

    pub(super) fn not_implemented(what: &str) -> Self {
        Self::new(NOT_IMPLEMENTED, format!("A header or parameter implies what is not there: {what}"))
    }

    /// A key that cannot be a file here.
    pub(super) fn key(problem: &KeyProblem) -> Self {
        let code =
            if matches!(problem, KeyProblem::TooLong { .. }) { KEY_TOO_LONG } else { INVALID_ARGUMENT };
        Self::new(code, format!("The key cannot be used: {problem}"))
    }

    /// The digest of the body that was signed is not the body's.
    pub(super) fn content_mismatch() -> Self {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        Self::new(CONTENT_MISMATCH, message)
    }

    /// The reply. Refusals show on the request's line in the log, incidents with all their causes.
    pub(super) fn into_response(self, place: Place<'_>) -> Response {
        match &self.more.cause {
            Some(refused) => refused.log(),
            None => drop(Span::current().record("refusal", self.code.0)),
        }
        let Code(code, status) = self.code;
        let body = if place.is_head { String::new() } else { self.document(code, place) };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if !place.is_head {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        if let Some(wait) = self.more.retry_after {
            headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        let range = self.more.content_range.and_then(|range| HeaderValue::try_from(range).ok());
        headers.extend(range.map(|range| (CONTENT_RANGE, range)));
        response
    }

    fn document(&self, code: &str, place: Place<'_>) -> String {
        let mut error = Element::document("Error").text("Code", code).text("Message", &self.message);
        for (name, value) in &self.more.details {
            error = error.text(name, value);
        }
        error
            .text("Resource", place.resource)
            .text("RequestId", place.request_id)
            .text("HostId", place.request_id)
            .end()
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        let fault = match error {
            Error::Refused(refusal) => return refusal.into(),
            Error::Failed(fault) => fault,
        };
        let code = match fault.kind() {
            FaultKind::Unavailable => UNAVAILABLE,
            FaultKind::Full => FULL,
            FaultKind::Corrupt | FaultKind::Internal => INTERNAL,
        };
        let message = format!("A fault of the kind '{}'. Please try again.", fault.kind().name());
        let denied = Self::new(code, message).because(Error::from(fault).into());
        if code == UNAVAILABLE { denied.retry_after(UNAVAILABLE_WAIT) } else { denied }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        let said = refusal.to_string();
        match refusal {
            Refusal::UploadNotFound(id) => Self::no_such_upload(&id.to_string()),
            Refusal::FileNotFound(key) => Self::no_such_key(key.as_str()),
            Refusal::PartOutOfRange { last, .. } => part_number(last),
            Refusal::PartTooSmall { number, got_bytes, needed_bytes } => {
                let message = "Your proposed upload is smaller than the minimum allowed size";
                Self::new(ENTITY_TOO_SMALL, message)
                    .with("ProposedSize", got_bytes.to_string())
                    .with("MinSizeAllowed", needed_bytes.to_string())
                    .with("PartNumber", number.to_string())
            }
            Refusal::PartTag { number } => {
                let message = "One or more of the specified parts could not be found. The part may not have been \
                               uploaded, or the specified entity tag may not match the part's entity tag.";
                Self::new(INVALID_PART, message).with("PartNumber", number.to_string())
            }
            Refusal::Busy { retry_after } => {
                Self::new(SLOW_DOWN, "Please reduce your request rate.").retry_after(retry_after)
            }
            Refusal::BadKey { problem, .. } => Self::key(&problem),
            Refusal::Forbidden(_) => Self::new(ACCESS_DENIED, "Access Denied"),
            Refusal::NotOpen(_) | Refusal::TakenOver => Self::new(ABORTED, said),
            Refusal::PartTooLarge { .. } | Refusal::TooLarge { .. } => Self::new(ENTITY_TOO_LARGE, said),
            Refusal::PartDigest { .. } | Refusal::WholeDigest { .. } => Self::new(BAD_DIGEST, said),
            Refusal::MissingParts { .. } => Self::new(INVALID_PART, said),
            Refusal::MissingBytes { .. } | Refusal::BodyCut { .. } => Self::new(INCOMPLETE_BODY, said),
            Refusal::BodyTooSlow { .. } => Self::new(TIMEOUT, said),
            Refusal::KeyTaken(_) => Self::new(PRECONDITION_FAILED, said),
            Refusal::StoreFull => Self::new(FULL, said),
            Refusal::BadField { .. } => Self::new(INVALID_ARGUMENT, said),
            Refusal::KeyBlocked { .. }
            | Refusal::PartSize { .. }
            | Refusal::TotalUnknown
            | Refusal::TotalConflict { .. }
            | Refusal::PartBytes { .. }
            | Refusal::OffsetMismatch { .. }
            | Refusal::NotAppendable
            | Refusal::IdempotencyConflict => Self::new(INVALID_REQUEST, said),
        }
    }
}

/// In S3's own words.
pub(super) fn part_number(last: u32) -> Denied {
    let message = format!("Part number must be an integer between 1 and {last}, inclusive");
    Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", "partNumber")
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        let said = refused.to_string();
        match refused {
            Refused::Engine(error) => error.into(),
            Refused::BadId { text } => Self::no_such_upload(&text),
            Refused::Range { size_bytes } => {
                let mut denied = Self::new(INVALID_RANGE, "The requested range is not satisfiable");
                denied.more.content_range = Some(format!("bytes */{size_bytes}"));
                denied.with("ActualObjectSize", size_bytes.to_string())
            }
            Refused::Precondition => Self::precondition("If-Match"),
            Refused::BodyLate => Self::new(TIMEOUT, said),
            Refused::BodyCut => Self::new(INCOMPLETE_BODY, said),
            Refused::BodyTooLarge { .. } => Self::new(TOO_LONG, said),
            Refused::Unauthenticated | Refused::UnknownToken => Self::new(ACCESS_DENIED, "Access Denied"),
            Refused::WrongMethod => Self::new(METHOD_NOT_ALLOWED, said),
            Refused::NoRoute
            | Refused::TargetTooLong { .. }
            | Refused::NotDirect
            | Refused::NoLinks
            | Refused::NoKeys
            | Refused::NoWholeLinks => Self::new(INVALID_REQUEST, said),
            Refused::Panicked => Self::new(INTERNAL, "We encountered an internal error.").because(refused),
        }
    }
}

impl From<Spoiled> for Denied {
    fn from(spoiled: Spoiled) -> Self {
        let code = match spoiled {
            Spoiled::Malformed(_) => INVALID_REQUEST,
            Spoiled::Mismatch => SIGNATURE_MISMATCH,
            Spoiled::EndedEarly => INCOMPLETE_BODY,
        };
        Self::new(code, spoiled.to_string())
    }
}

fn malformed(means: Means) -> Code {
    match means {
        Means::Header => HEADER_MALFORMED,
        Means::Query => QUERY_MALFORMED,
        Means::Form => INVALID_ARGUMENT,
    }
}

impl From<Denial> for Denied {
    fn from(denial: Denial) -> Self {
        let said = denial.to_string();
        match denial {
            Denial::Malformed { means, .. }
            | Denial::WrongService { means, .. }
            | Denial::WrongDay { means } => Self::new(malformed(means), said),
            Denial::TwoMeans | Denial::PayloadUnknown => Self::new(INVALID_ARGUMENT, said),
            Denial::UnknownAlgorithm { .. } => {
                let message = "The authorization mechanism you have provided is not supported. Please use \
                               AWS4-HMAC-SHA256.";
                Self::new(INVALID_REQUEST, message)
            }
            Denial::PayloadMissing => {
                Self::new(INVALID_REQUEST, "Missing required header for this request: x-amz-content-sha256")
            }
            Denial::NotSigned(name) => {
                let message = "There were headers present in the request which were not signed";
                Self::new(ACCESS_DENIED, message).with("HeadersNotSigned", name)
            }
            Denial::ExpiresOutOfRange => Self::new(QUERY_MALFORMED, said),
            Denial::WrongRegion { means, given, wanted } => {
                let start = match means {
                    Means::Header => "The authorization header is malformed",
                    Means::Query => "Error parsing the X-Amz-Credential parameter",
                    Means::Form => "The form's credential is malformed",
                };
                let message = format!("{start}; the region '{given}' is wrong; expecting '{wanted}'");
                Self::new(malformed(means), message).with("Region", wanted)
            }
            Denial::Skewed { .. } => {
                let message = "The difference between the request time and the server's time is too large.";
                Self::new(SKEWED, message)
            }
            Denial::NotYet => Self::new(ACCESS_DENIED, "Request is not yet valid"),
            Denial::Expired => Self::new(ACCESS_DENIED, "Request has expired"),
            Denial::Mismatch(mismatch) => {
                let message = "The request signature we calculated does not match the signature you provided. \
                               Check your key and signing method.";
                Self::new(SIGNATURE_MISMATCH, message)
                    .with("StringToSign", mismatch.string_to_sign)
                    .with("CanonicalRequest", mismatch.canonical_request)
            }
        }
    }
}
