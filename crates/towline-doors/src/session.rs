//! The session door: document 004's protocol, and the native one of the command line and of towline.js.
//! `docs/protocols/session.md` has the wire format.

mod begin;
mod end;
mod events;
mod list;
mod parts;
mod size;
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
use crate::settings::DoorKind;

/// How many parts the engine gives at once.
const PAGE: usize = 1000;

#[derive(Debug)]
pub(crate) struct Session;

impl Door for Session {
    fn name(&self) -> &'static str {
        DoorKind::Session.name()
    }

    fn routes(&self) -> OpenApiRouter<DoorState> {
        [
            routes!(begin::init),
            routes!(parts::put),
            routes!(parts::page, parts::register),
            routes!(parts::urls),
            routes!(size::declare),
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
/// others are read. Pages are read to their end and not to the head's count: parts land meanwhile.
async fn completed_parts(engine: &Engine, who: &Principal, upload: &Upload) -> Result<Vec<u32>, Error> {
    let mut numbers: Vec<u32> = (1..=upload.progress.prefix_count).collect();
    let mut is_end = upload.progress.prefix_count == upload.progress.landed_count;
    while !is_end {
        let after = numbers.last().copied().unwrap_or(0);
        let page = engine.parts(who, upload.id, (after, PAGE)).await?;
        is_end = page.len() < PAGE;
        numbers.extend(page.iter().map(|part| part.number));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use towline_core::engine::{Cut, Order, PutPart};
    use towline_core::key::Key;
    use towline_core::testing::{House, body};
    use towline_core::upload::{About, UploadId};

    use super::*;

    async fn put(house: &House, id: UploadId, number: u64) {
        let put = PutPart { id, number, size_bytes: None, declared: Vec::new(), computed: Vec::new() };
        let mut body = body(["x"]);
        let body = std::pin::Pin::new(&mut body);
        house.engine.put_part(&Principal::anonymous(), put, body).await.unwrap();
    }

    #[tokio::test]
    async fn a_part_that_lands_while_the_numbers_are_read_displaces_none() {
        let house = House::default();
        let who = Principal::anonymous();
        let order = Order {
            key: Key::parse("a").unwrap(),
            cut: Cut::Even { wish_bytes: Some(1) },
            total_bytes: Some(3000),
            about: About::default(),
        };
        let id = house.engine.create(&who, order).await.unwrap().upload.id;
        for number in 3..2003 {
            put(&house, id, number).await;
        }
        let head = house.engine.status(&who, id).await.unwrap();
        put(&house, id, 2).await;
        let numbers = completed_parts(&house.engine, &who, &head).await.unwrap();
        assert_eq!(numbers, (2..2003).collect::<Vec<u32>>());
    }
}
