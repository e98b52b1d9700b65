//! The companion door: what Uppy's S3 plugins ask of Companion. `docs/protocols/companion.md` has the wire format.

mod begin;
mod end;
mod parts;
mod wire;

use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper::ext::ReasonPhrase;
use towline_core::{Error, Refusal};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::DoorState;
use crate::door::Door;
use crate::entrance::RequestId;
use crate::openapi;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;
use wire::CompanionError;

/// A reason phrase is shown to people in a line.
const REASON_BYTES_MAX: usize = 300;

#[derive(Debug)]
pub(crate) struct Companion;

impl Door for Companion {
    fn name(&self) -> &'static str {
        DoorKind::Companion.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        let routes = [
            routes!(begin::params),
            routes!(begin::create),
            routes!(parts::list, end::abort),
            routes!(parts::sign),
            routes!(parts::batch),
            routes!(end::complete),
            routes!(begin::sts),
        ]
        .into_iter()
        .fold(OpenApiRouter::new(), add);
        openapi::refusing::<CompanionError>(routes)
    }

    fn refuse(&self, refused: &Refused, _: &RequestId) -> Response {
        refusal(refused)
    }
}

/// Uppy shows `message` up to 5.x, of a 4xx only, and since 6.x nothing but the reason phrase of HTTP/1.1.
fn refusal(refused: &Refused) -> Response {
    let error = CompanionError::of(refused);
    let mut response = problem::dressed(refused, &error, "application/json");
    if let Refused::Engine(Error::Refused(Refusal::StoreFull)) = refused {
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    }
    if let Ok(phrase) = ReasonPhrase::try_from(phrase(error.message())) {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// Whether a path is below one of those that [`add`] makes, whatever is there.
pub(crate) fn is_below(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let keyed = path.strip_prefix("t/").and_then(|rest| rest.split_once('/'));
    let path = keyed.map_or(path, |(_, rest)| rest);
    path.strip_prefix('/').unwrap_or(path).starts_with("s3/")
}

/// Adds a route at its own path, behind a base with a slash at its end, and behind a token in the path.
fn add(router: OpenApiRouter<DoorState>, routes: UtoipaMethodRouter<DoorState>) -> OpenApiRouter<DoorState> {
    let paths: Vec<String> = routes.1.paths.keys().cloned().collect();
    let open = routes.2.clone();
    let keyed = routes.2.clone().layer(from_fn(show_token));
    paths.iter().fold(router.routes(routes), |router, path| {
        router
            .route(&format!("/{path}"), open.clone())
            .route(&format!("/t/{{token}}{path}"), keyed.clone())
            .route(&format!("/t/{{token}}/{path}"), keyed.clone())
    })
}

/// Uppy 6.x can send no header: the token in the path is as good as one. Logs and replies know the route only.
async fn show_token(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let token = params.ok().and_then(|params| {
        let token = params.iter().find(|(name, _)| *name == "token").map(|(_, token)| token.to_owned())?;
        HeaderValue::try_from(format!("Bearer {token}")).ok()
    });
    let Some(mut token) = token else {
        return Refused::Unauthenticated.into_response();
    };
    token.set_sensitive(true);
    parts.headers.insert(AUTHORIZATION, token);
    next.run(Request::from_parts(parts, body)).await
}

/// A message within the one line of ASCII that a status line has room for.
fn phrase(message: &str) -> Vec<u8> {
    let plain = |c: char| match c {
        '…' => "...".to_owned(),
        '“' | '”' => "\"".to_owned(),
        ' '..='~' => c.to_string(),
        _ => "?".to_owned(),
    };
    let mut phrase: String = message.chars().map(plain).collect();
    phrase.truncate(REASON_BYTES_MAX);
    phrase.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_store_is_told_with_a_status_that_uppy_shows() {
        let response = refusal(&Refusal::StoreFull.into());
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let phrase = response.extensions().get::<ReasonPhrase>().unwrap();
        assert!(phrase.as_bytes().starts_with(b"The store is full"));
    }

    #[test]
    fn a_path_is_below_this_door_with_a_token_or_without() {
        for path in ["/s3/params", "//s3/multipart/x", "/t/token/s3/x", "/t/token//s3/x", "/s3/"] {
            assert!(is_below(path), "{path}");
        }
        for path in ["/s3", "/s3x/a", "/t/s3/a", "/t/a/b/s3/c", "/upload/s3/a", ""] {
            assert!(!is_below(path), "{path}");
        }
    }

    #[test]
    fn a_phrase_is_one_line_of_plain_text() {
        assert_eq!(phrase("a\r\nb: “ü…”"), b"a??b: \"?...\"");
        assert_eq!(phrase(&"x".repeat(999)).len(), REASON_BYTES_MAX);
        assert!(ReasonPhrase::try_from(phrase("")).is_ok());
    }
}
