//! What belongs to no protocol: is the server alive, and can it work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use serde::Serialize;
use tokio::time::Instant;
use towline_core::{Engine, Error};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::door::{Door, add};
use crate::entrance::RequestId;
use crate::json::reply;
use crate::problem;
use crate::refused::Refused;

#[derive(Debug)]
pub(crate) struct Common;

impl Door for Common {
    fn name(&self) -> &'static str {
        "common"
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        [routes!(health), routes!(ready)].into_iter().fold(OpenApiRouter::new(), add)
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}

/// One word on how the server is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

/// The server is alive.
#[utoipa::path(
    get, path = "/health", tag = "server", security(()),
    responses((status = 200, description = "It is", body = Health)),
)]
async fn health() -> Response {
    reply(&Health { status: "healthy" })
}

/// The server can take uploads now.
#[utoipa::path(
    get, path = "/ready", tag = "server", security(()),
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "Its store or catalog cannot be written to"),
    ),
)]
async fn ready(State(state): State<DoorState>) -> Result<Response, Refused> {
    state.readiness.of(&state.engine).await?;
    Ok(reply(&Health { status: "ready" }))
}

/// How long an answer to "can it work" holds.
const READY_FOR: Duration = Duration::from_secs(1);

/// Whether the server can work: found out once for all who ask within a second. A check writes to the disk, and
/// anybody may ask.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<Shared<BoxFuture<'static, Checked>>>>);

#[derive(Clone, Debug)]
struct Checked {
    at: Instant,
    found: Result<(), Error>,
}

impl Readiness {
    async fn of(&self, engine: &Engine) -> Result<(), Error> {
        let checking = {
            let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is under way holds, also when whoever began it is gone: the next to ask takes it on.
            let fresh = latest
                .take()
                .filter(|checking| checking.peek().is_none_or(|checked| checked.at.elapsed() < READY_FOR));
            latest.insert(fresh.unwrap_or_else(|| check(engine.clone()))).clone()
        };
        checking.await.found
    }
}

fn check(engine: Engine) -> Shared<BoxFuture<'static, Checked>> {
    let checking = async move {
        let found = engine.check().await;
        Checked { at: Instant::now(), found }
    };
    checking.boxed().shared()
}
