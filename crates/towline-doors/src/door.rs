//! What a door is, and how its refusals reach its clients in their own dialect.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::DoorState;
use crate::companion::{self, Companion};
use crate::entrance::RequestId;
use crate::problem;
use crate::refused::Refused;
use crate::settings::{DoorKind, DoorSettings};

/// One protocol's dialect.
pub trait Door: Send + Sync + fmt::Debug {
    /// The word in settings, logs and metrics.
    fn name(&self) -> &'static str;

    /// Its routes and their description. Handlers answer with [`Refused`] where they say no.
    fn routes(&self) -> OpenApiRouter<DoorState>;

    /// A no in this protocol's words.
    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response;
}

/// An extension of every reply a door gave: whose it was, for the binary's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedBy(pub &'static str);

/// Turns a handler's refusal into the door's dialect, and a panic into a refusal.
pub(crate) async fn speak(
    State(door): State<Arc<dyn Door>>,
    id: RequestId,
    request: Request,
    next: Next,
) -> Response {
    speak_for(&*door, &id, next.run(request)).await
}

/// The same for an answer that is made without a route.
pub(crate) async fn speak_for(
    door: &dyn Door,
    id: &RequestId,
    answering: impl Future<Output = Response>,
) -> Response {
    let answered = AssertUnwindSafe(answering).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| Refused::Panicked.into_response());
    if let Some(refused) = response.extensions_mut().remove::<Refused>() {
        refused.log();
        response = door.refuse(&refused, id);
    }
    response.extensions_mut().insert(ServedBy(door.name()));
    response
}

/// A no to a request that reached no door. Uppy reads that of its own door only.
pub(crate) fn turn_away(
    settings: &DoorSettings,
    path: &str,
    (refused, id): (&Refused, &RequestId),
) -> Response {
    refused.log();
    if settings.doors.contains(&DoorKind::Companion) && companion::is_below(path) {
        return Companion.refuse(refused, id);
    }
    problem::response(refused, id)
}

pub(crate) async fn no_route(State(state): State<DoorState>, uri: Uri, id: RequestId) -> Response {
    turn_away(&state.settings, uri.path(), (&Refused::NoRoute, &id))
}

pub(crate) async fn wrong_method(State(state): State<DoorState>, uri: Uri, id: RequestId) -> Response {
    turn_away(&state.settings, uri.path(), (&Refused::WrongMethod, &id))
}

/// Adds a route that takes a slash at its end as well.
pub(crate) fn add(
    router: OpenApiRouter<DoorState>,
    routes: UtoipaMethodRouter<DoorState>,
) -> OpenApiRouter<DoorState> {
    add_also(router, routes, |path| vec![format!("{path}/")])
}

/// Adds a route that is also reached by other paths, which are not described.
pub(crate) fn add_also(
    router: OpenApiRouter<DoorState>,
    routes: UtoipaMethodRouter<DoorState>,
    others: impl Fn(&str) -> Vec<String>,
) -> OpenApiRouter<DoorState> {
    let others: Vec<String> = routes.1.paths.keys().flat_map(|path| others(path)).collect();
    let methods = routes.2.clone();
    others.iter().fold(router.routes(routes), |router, path| router.route(path, methods.clone()))
}
