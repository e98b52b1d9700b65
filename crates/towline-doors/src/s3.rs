//! The s3 door.

use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use crate::DoorState;
use crate::door::Door;
use crate::entrance::RequestId;
use crate::problem;
use crate::refused::Refused;
use crate::settings::DoorKind;

#[derive(Debug)]
pub(crate) struct S3;

impl Door for S3 {
    fn name(&self) -> &'static str {
        DoorKind::S3.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        OpenApiRouter::new()
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}
