//! Files that are read without a signature, where nobody is asked who he is: the addresses of files that other doors
//! tell lead here, and are opened as they are.

use axum::body::Body;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use towline_core::key::Key;
use towline_core::policy::Principal;

use super::address;
use super::problem::Denied;
use crate::DoorState;
use crate::auth::Authenticator;
use crate::downloads;
use crate::settings::DoorKind;

/// Whether a request may do without a signature: it reads a file and asks for nothing beside, and `/download/{key}`
/// would give it the same file.
pub(super) fn is_open(state: &DoorState, parts: &Parts) -> bool {
    let settings = &state.settings;
    matches!(settings.authenticator, Authenticator::Anonymous)
        && settings.doors.contains(&DoorKind::Downloads)
        && (parts.method == Method::GET || parts.method == Method::HEAD)
        && parts.uri.query().unwrap_or("").is_empty()
        && !address::is_signed(&parts.headers, "")
}

/// The file as the downloads door gives it.
pub(super) async fn read(state: &DoorState, parts: &Parts, key: &str) -> Result<Response, Denied> {
    let key = Key::parse(key).map_err(|_| Denied::no_such_key(key))?;
    let given = downloads::give(state, &Principal::anonymous(), key, (&parts.method, &parts.headers)).await?;
    Ok(if parts.method == Method::HEAD { given.map(|_| Body::empty()) } else { given })
}
