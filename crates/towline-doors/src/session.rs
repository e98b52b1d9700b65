//! The session door: document 004's protocol, and the native one of the command line and of towline.js.
//! `docs/protocols/session.md` has the wire format.

mod begin;
mod end;
mod events;
mod list;
mod parts;
mod watch;
mod wire;

use axum::response::Response;
use towline_core::policy::Principal;
use towline_core::upload::Upload;
use towline_core::{Engine, Error};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::DoorState;
use crate::door::{Door, add};
use crate::entrance::RequestId;
use crate::problem;
use crate::refused::Refused;

/// How many parts the engine gives at once.
const PAGE: usize = 1000;

#[derive(Debug)]
pub(crate) struct Session;

impl Door for Session {
    fn name(&self) -> &'static str {
        "session"
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        [
            routes!(begin::init),
            routes!(parts::put),
            routes!(parts::page, parts::register),
            routes!(parts::urls),
            routes!(watch::status),
            routes!(events::events),
            routes!(end::complete),
            routes!(end::cancel),
            routes!(list::sessions),
        ]
        .into_iter()
        .fold(OpenApiRouter::new(), add)
    }

    fn refuse(&self, refused: &Refused, id: &RequestId) -> Response {
        problem::response(refused, id)
    }
}

/// The numbers of all landed parts, ascending. Those without a gap before them are known from the head; only the
/// others are read.
async fn completed_parts(engine: &Engine, who: &Principal, upload: &Upload) -> Result<Vec<u32>, Error> {
    let mut numbers: Vec<u32> = (1..=upload.progress.prefix_count).collect();
    while numbers.len() < upload.progress.landed_count as usize {
        let after = numbers.last().copied().unwrap_or(0);
        let page = engine.parts(who, upload.id, (after, PAGE)).await?;
        if page.is_empty() {
            break;
        }
        numbers.extend(page.iter().map(|part| part.number));
    }
    Ok(numbers)
}
