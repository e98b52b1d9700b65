//! The companion door.

use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use crate::DoorState;
use crate::door::Door;
use crate::entrance::RequestId;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;

#[derive(Debug)]
pub(crate) struct Companion;

impl Door for Companion {
    fn name(&self) -> &'static str {
        DoorKind::Companion.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        OpenApiRouter::new()
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}
