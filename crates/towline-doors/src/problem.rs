//! Problems as RFC 9457 writes them, and the one table that gives every refusal its status. Doors whose protocol
//! leaves errors open speak so. Each code has its anchor in `docs/errors.md`, which is served at `/api/errors`.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use towline_core::{Error, Fault, FaultKind, Refusal};
use utoipa::ToSchema;

use crate::entrance::RequestId;
use crate::refused::Refused;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How long to wait after a fault that may pass.
const UNAVAILABLE_WAIT: Duration = Duration::from_secs(5);

/// What went wrong, for people and for programs (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem<'a> {
    /// What kind of problem it is: stable, and the address of its explanation.
    #[schema(example = "/api/errors#missing-parts")]
    r#type: String,
    #[schema(example = "Parts are missing")]
    title: &'a str,
    #[schema(example = 400)]
    status: u16,
    /// What it is this time, and what to do.
    #[schema(example = "Missing parts: [3, 4]")]
    detail: String,
    /// The field, parameter or header that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// Name this when you ask for help.
    request_id: &'a str,
}

/// A kind of problem: its code, its status, its title.
pub(crate) type Kind = (&'static str, StatusCode, &'static str);

/// The reply that tells of a refusal.
pub(crate) fn response(refused: &Refused, id: &RequestId) -> Response {
    let (code, status, title) = kind(refused);
    let problem = Problem {
        r#type: format!("/api/errors#{code}"),
        title,
        status: status.as_u16(),
        detail: detail(refused),
        field: field(refused),
        request_id: id.as_str(),
    };
    dressed(refused, &problem, PROBLEM_JSON)
}

/// A refusal's reply around a body in a door's own words: with its status, and the headers that belong to it.
pub(crate) fn dressed<T: Serialize>(refused: &Refused, body: &T, media_type: &'static str) -> Response {
    let body = serde_json::to_vec(body).expect("a refusal is plain text and numbers");
    let (_, status, _) = kind(refused);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = retry_after(refused) {
        headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
    }
    if let Refused::Unauthenticated | Refused::UnknownToken = refused {
        let challenge = HeaderValue::from_static("Bearer realm=\"towline\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Refused::Range { size_bytes } = refused {
        let range = HeaderValue::try_from(format!("bytes */{size_bytes}"));
        headers.insert(CONTENT_RANGE, range.expect("digits and '/' are a header's"));
    }
    response
}

/// The table: every refusal's code, status and title.
pub(crate) fn kind(refused: &Refused) -> Kind {
    match refused {
        Refused::Engine(Error::Refused(refusal)) => {
            let (status, title) = of_refusal(refusal);
            (refusal.code(), status, title)
        }
        Refused::Engine(Error::Failed(fault)) => of_fault(fault),
        Refused::BadId { .. } => ("upload-not-found", StatusCode::NOT_FOUND, "No such upload"),
        Refused::Unauthenticated | Refused::UnknownToken => {
            ("unauthenticated", StatusCode::UNAUTHORIZED, "A valid token is needed")
        }
        Refused::NoRoute => ("no-route", StatusCode::NOT_FOUND, "Nothing is here"),
        Refused::WrongMethod => {
            ("wrong-method", StatusCode::METHOD_NOT_ALLOWED, "The method is not known here")
        }
        Refused::TargetTooLong { .. } => {
            ("target-too-long", StatusCode::URI_TOO_LONG, "The request target is too long")
        }
        Refused::BodyTooLarge { .. } => {
            ("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
        }
        Refused::BodyLate => ("body-late", StatusCode::REQUEST_TIMEOUT, "The body came too slowly"),
        Refused::BodyCut => ("body-cut", StatusCode::BAD_REQUEST, "The body broke off"),
        Refused::NotDirect => ("not-direct", StatusCode::CONFLICT, "The upload is relayed"),
        Refused::NoLinks => ("no-links", StatusCode::NOT_IMPLEMENTED, "There are no signed URLs here"),
        Refused::NoKeys => ("no-keys", StatusCode::NOT_IMPLEMENTED, "No keys are handed out here"),
        Refused::NoWholeLinks => {
            ("no-whole-links", StatusCode::NOT_IMPLEMENTED, "No URLs for whole files are given here")
        }
        Refused::Precondition => {
            ("precondition", StatusCode::PRECONDITION_FAILED, "A condition does not hold")
        }
        Refused::Range { .. } => {
            ("range", StatusCode::RANGE_NOT_SATISFIABLE, "The range lies outside the file")
        }
        Refused::Panicked => ("fault", StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
    }
}

fn of_refusal(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::UploadNotFound(_) => (StatusCode::NOT_FOUND, "No such upload"),
        Refusal::NotOpen(_) => (StatusCode::BAD_REQUEST, "The upload is not in progress"),
        Refusal::PartOutOfRange { .. } => (StatusCode::BAD_REQUEST, "There is no such part"),
        Refusal::PartSize { .. } => (StatusCode::BAD_REQUEST, "The part has the wrong size"),
        Refusal::PartTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "The part is too large"),
        Refusal::PartDigest { .. } => (StatusCode::BAD_REQUEST, "The part is damaged"),
        Refusal::WholeDigest { .. } => (StatusCode::BAD_REQUEST, "The file is not the declared one"),
        Refusal::MissingParts { .. } => (StatusCode::BAD_REQUEST, "Parts are missing"),
        Refusal::PartTag { .. } => (StatusCode::BAD_REQUEST, "A part is not the one that landed"),
        Refusal::PartTooSmall { .. } => (StatusCode::BAD_REQUEST, "A part is too small"),
        Refusal::MissingBytes { .. } => (StatusCode::BAD_REQUEST, "Bytes are missing"),
        Refusal::TotalUnknown => (StatusCode::BAD_REQUEST, "The size is not known yet"),
        Refusal::TotalConflict { .. } => (StatusCode::CONFLICT, "The size was declared otherwise"),
        Refusal::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "The file is too large"),
        Refusal::PartBytes { .. } => (StatusCode::BAD_REQUEST, "The part size does not fit"),
        Refusal::BadKey { .. } => (StatusCode::BAD_REQUEST, "The name cannot be used"),
        Refusal::KeyBlocked { .. } => (StatusCode::CONFLICT, "Something is in the way of the name"),
        Refusal::KeyTaken(_) => (StatusCode::CONFLICT, "The name is taken"),
        Refusal::BadField { .. } => (StatusCode::BAD_REQUEST, "A field is missing or wrong"),
        Refusal::OffsetMismatch { .. } => (StatusCode::CONFLICT, "The offset is another"),
        Refusal::NotAppendable => (StatusCode::CONFLICT, "The upload is cut into parts"),
        Refusal::TakenOver => (StatusCode::CONFLICT, "A newer request has taken over"),
        Refusal::BodyCut { .. } => (StatusCode::BAD_REQUEST, "The body broke off"),
        Refusal::BodyTooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "The body came too slowly"),
        Refusal::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "The server is busy"),
        Refusal::IdempotencyConflict => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key belongs to another file")
        }
        Refusal::Forbidden(_) => (StatusCode::FORBIDDEN, "Not allowed"),
        Refusal::FileNotFound(_) => (StatusCode::NOT_FOUND, "No such file"),
        Refusal::StoreFull => (StatusCode::INSUFFICIENT_STORAGE, "The store is full"),
    }
}

fn of_fault(fault: &Fault) -> Kind {
    match fault.kind() {
        FaultKind::Unavailable => {
            ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "The server cannot do this now")
        }
        FaultKind::Full => ("store-full", StatusCode::INSUFFICIENT_STORAGE, "The store is full"),
        FaultKind::Corrupt | FaultKind::Internal => {
            ("fault", StatusCode::INTERNAL_SERVER_ERROR, "The server failed")
        }
    }
}

/// What a client may know: of an incident only its kind.
pub(crate) fn detail(refused: &Refused) -> String {
    if let Refused::Engine(Error::Failed(fault)) = refused {
        return format!("A fault of the kind '{}'", fault.kind().name());
    }
    refused.to_string()
}

pub(crate) fn field(refused: &Refused) -> Option<&str> {
    if let Refused::Engine(Error::Refused(Refusal::BadField { field, .. })) = refused {
        return Some(field);
    }
    None
}

fn retry_after(refused: &Refused) -> Option<Duration> {
    if let Refused::Engine(Error::Refused(Refusal::Busy { retry_after })) = refused {
        return Some(*retry_after);
    }
    if let Refused::Engine(Error::Failed(fault)) = refused {
        return (fault.kind() == FaultKind::Unavailable).then_some(UNAVAILABLE_WAIT);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_doors_is_explained() {
        let explained = include_str!("../../../docs/errors.md");
        let text = String::new();
        let fault = |kind| Refused::Engine(Fault::new(kind, "testing", "a cause").into());
        for refused in [
            fault(FaultKind::Unavailable),
            fault(FaultKind::Full),
            fault(FaultKind::Internal),
            Refused::BadId { text },
            Refused::Unauthenticated,
            Refused::UnknownToken,
            Refused::NoRoute,
            Refused::WrongMethod,
            Refused::TargetTooLong { allowed_bytes: 1 },
            Refused::BodyTooLarge { allowed_bytes: 1 },
            Refused::BodyLate,
            Refused::BodyCut,
            Refused::NotDirect,
            Refused::NoLinks,
            Refused::NoKeys,
            Refused::NoWholeLinks,
            Refused::Precondition,
            Refused::Range { size_bytes: 1 },
            Refused::Panicked,
        ] {
            let (code, status, _) = kind(&refused);
            let entry = format!("\n## {code}\n\n{}. ", status.as_u16());
            assert!(explained.contains(&entry), "{entry:?}");
        }
    }

    #[test]
    fn of_an_incident_a_client_learns_the_kind_only() {
        let fault = Fault::new(FaultKind::Internal, "opening /secret/place", "password is hunter2");
        let detail = detail(&Refused::Engine(fault.into()));
        assert_eq!(detail, "A fault of the kind 'internal'");
    }
}
