//! The multipart door.

use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use crate::DoorState;
use crate::door::Door;
use crate::entrance::RequestId;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;

#[derive(Debug)]
pub(crate) struct Multipart;

impl Door for Multipart {
    fn name(&self) -> &'static str {
        DoorKind::Multipart.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        OpenApiRouter::new()
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}
