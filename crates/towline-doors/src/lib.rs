//! What clients speak: each protocol is a thin dialect over the engine, and here is what they share.
//!
//! A door parses a request (pure), calls the engine once, and renders the reply (pure). Doors know no store and
//! no catalog. What every request passes, whatever its door: [`entrance`].

mod auth;
mod common;
mod companion;
mod cors;
mod declared;
mod desk;
mod door;
mod downloads;
mod entrance;
mod form;
mod intake;
mod json;
mod keyring;
mod links;
mod moment;
mod multipart;
mod naming;
mod openapi;
mod paths;
mod presign;
mod problem;
mod refused;
mod s3;
mod session;
mod settings;
mod signing_key;
mod simple;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use towline_core::Engine;
use utoipa_axum::router::OpenApiRouter;

pub use auth::{Authenticator, Token};
pub use cors::{BadOrigin, OriginPattern};
pub use door::{Door, ServedBy};
pub use entrance::RequestId;
pub use keyring::{AccessKey, Keyring, Lent};
pub use moment::rfc3339;
pub use paths::is_path_of_ours;
pub use refused::Refused;
pub use settings::{DoorKind, DoorSettings, DrainBounds, S3DoorSettings};

/// What every handler has at hand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DoorState {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<DoorSettings>,
    /// Who watches an upload holds one of these.
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) readiness: Arc<common::Readiness>,
    /// Signs the URLs of our own `s3` door.
    pub(crate) url_signer: Arc<towline_sigv4::Signer>,
    /// Of those who publish something under a condition on what is there.
    pub(crate) turns: Arc<s3::Turns>,
}

/// Everything that is served. `own` is what the binary brings (its metrics): it passes the same entrance, and its
/// handlers refuse with [`Refused`] as a door's do.
pub fn router(engine: Engine, settings: DoorSettings, own: Router) -> Router {
    let cors = cors::layer(&settings.cors_origins);
    let state = DoorState {
        engine,
        watchers: Arc::new(Semaphore::new(settings.watchers_max)),
        readiness: Arc::default(),
        url_signer: Arc::new(towline_sigv4::Signer::new(
            settings.s3.keyring.for_urls(),
            settings.s3.region.clone(),
        )),
        turns: Arc::default(),
        settings: Arc::new(settings),
    };
    let common: Arc<dyn Door> = Arc::new(common::Common);
    let own = own.layer(from_fn_with_state(Arc::clone(&common), door::speak));
    let mut doors = vec![common];
    for kind in &state.settings.doors {
        doors.push(match kind {
            DoorKind::Session => Arc::new(session::Session),
            DoorKind::Downloads => Arc::new(downloads::Downloads),
            DoorKind::S3 => Arc::new(s3::S3),
            DoorKind::Presign => Arc::new(presign::Presign),
            DoorKind::Multipart => Arc::new(multipart::Multipart),
            DoorKind::Simple => Arc::new(simple::Simple),
            DoorKind::SigningKey => Arc::new(signing_key::SigningKey),
            DoorKind::Companion => Arc::new(companion::Companion),
        });
    }
    let mut routes = OpenApiRouter::with_openapi(openapi::head());
    for door in doors {
        let speaking = from_fn_with_state(Arc::clone(&door), door::speak);
        routes = routes.merge(door.routes().layer(speaking));
    }
    let (routes, described) = routes.split_for_parts();
    routes
        .merge(openapi::routes(described, &state.settings))
        .merge(own.with_state(()))
        .fallback(door::no_route)
        .method_not_allowed_fallback(door::wrong_method)
        .layer(from_fn_with_state(state.clone(), s3::divert))
        .layer(from_fn_with_state(state.clone(), entrance::bound))
        .layer(cors)
        .layer(from_fn(cors::answer_uppy))
        .layer(from_fn_with_state(state.clone(), entrance::pass))
        .with_state(state)
}
