//! What belongs to no protocol: is the server alive, and can it work.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
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
    state.engine.check().await?;
    Ok(reply(&Health { status: "ready" }))
}
