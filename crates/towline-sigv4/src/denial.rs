//! Why a signature is not believed.

use std::time::Duration;

use thiserror::Error;

use crate::claim::Means;
use crate::signer::EXPIRES_MAX;

/// Why a request is not believed to come from who it names. Each variant is one of S3's codes, named beside it; the
/// door that speaks S3 says it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError` or, for a form, `InvalidArgument`.
    #[error("the signature is not written as it should be: {what}")]
    Malformed { means: Means, what: &'static str },
    /// `InvalidArgument`.
    #[error("a request is signed by header or by query, not by both")]
    TwoMeans,
    /// `InvalidRequest`.
    #[error("the only algorithm here is AWS4-HMAC-SHA256")]
    UnknownAlgorithm { means: Means },
    /// `InvalidRequest`.
    #[error("the header x-amz-content-sha256 is missing")]
    PayloadMissing,
    /// `InvalidArgument`.
    #[error("x-amz-content-sha256 is neither a digest nor a known word")]
    PayloadUnknown,
    /// `AccessDenied`.
    #[error("the header {0} is there, but not signed")]
    NotSigned(String),
    /// `AuthorizationQueryParametersError`.
    #[error("X-Amz-Expires is a number of seconds from 1 to {}", EXPIRES_MAX.as_secs())]
    ExpiresOutOfRange,
    /// `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError` or `InvalidArgument`, by means.
    #[error("the region {given} is wrong: it is {wanted} here")]
    WrongRegion { means: Means, given: String, wanted: String },
    /// As [`Self::WrongRegion`].
    #[error("the service {given} is wrong: it is s3 here")]
    WrongService { means: Means, given: String },
    /// As [`Self::WrongRegion`].
    #[error("the day of the credential is not the day of the signature")]
    WrongDay { means: Means },
    /// `RequestTimeTooSkewed`.
    #[error("the clocks differ by {} seconds", by.as_secs())]
    Skewed { by: Duration },
    /// `AccessDenied`, with "Request is not yet valid".
    #[error("the signature is not valid yet")]
    NotYet,
    /// `AccessDenied`, with "Request has expired".
    #[error("the signature has expired")]
    Expired,
    /// `SignatureDoesNotMatch`.
    #[error("the signature is not the one that the secret key makes")]
    Mismatch(Box<Mismatch>),
}

/// What was signed here, for a client that looks for the difference; S3 says both in its reply.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    pub canonical_request: String,
    pub string_to_sign: String,
}

impl std::fmt::Debug for Mismatch {
    /// A canonical request may hold a session token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mismatch([redacted])")
    }
}
