//! Every no of a door: what the engine said, or what is wrong with the request itself.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;
use towline_core::error::chain;
use towline_core::{Error, Fault, Refusal};
use tracing::Span;

use crate::problem;

/// Why a request is answered with no.
#[derive(Clone, Debug, Error)]
pub enum Refused {
    #[error(transparent)]
    Engine(Error),
    #[error("Upload session not found: {text:?} is no session id")]
    BadId { text: String },
    #[error("A token is needed: send it as 'Authorization: Bearer …'")]
    Unauthenticated,
    #[error("This token is not known here: it may have been replaced, or belong to another server")]
    UnknownToken,
    #[error("There is nothing here: see /api/docs for what there is")]
    NoRoute,
    #[error("This method is not known here: see the header Allow")]
    WrongMethod,
    #[error("The request target is longer than the {allowed_bytes} bytes allowed")]
    TargetTooLong { allowed_bytes: usize },
    #[error("The body is larger than the {allowed_bytes} bytes allowed")]
    BodyTooLarge { allowed_bytes: usize },
    #[error("The body did not come in time")]
    BodyLate,
    #[error("The body broke off")]
    BodyCut,
    #[error(
        "The bytes of this upload go through this server: PUT each part to its URL instead of registering it"
    )]
    NotDirect,
    #[error(
        "Nothing here takes bytes by signed URLs: the door 's3' is closed, and the store is not reached directly"
    )]
    NoLinks,
    #[error(
        "Clients reach the store themselves, and there is no access key for it that may be handed out: use signed URLs"
    )]
    NoKeys,
    #[error(
        "A file that is PUT to one URL goes to the store itself, which does not hold it to what this server allows: \
         upload it in parts"
    )]
    NoWholeLinks,
    #[error("The file is not the one that the request's conditions ask for")]
    Precondition,
    #[error("No asked-for range lies within the {size_bytes} bytes of the file")]
    Range { size_bytes: u64 },
    #[error("The request failed unexpectedly")]
    Panicked,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Engine(refusal.into())
    }
}

impl Refused {
    /// A field of the request that is missing or not what it must be.
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Refusal::BadField { field: field.into(), problem: problem.into() }.into()
    }

    /// The request's line in the log tells which refusal it was. An incident goes into the log here and nowhere
    /// else, with all its causes.
    pub(crate) fn log(&self) {
        if let Self::Engine(Error::Failed(fault)) = self {
            log_fault(fault);
        } else if let Self::Panicked = self {
            tracing::error!("a request panicked");
        } else {
            Span::current().record("refusal", problem::kind(self).0);
            tracing::debug!(reason = ?self, "refused");
        }
    }
}

pub(crate) fn log_fault(fault: &Fault) {
    tracing::error!(kind = fault.kind().name(), error = chain(fault), "a request failed");
}

impl IntoResponse for Refused {
    /// Carries the refusal to where its door speaks; clients never see this one.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
