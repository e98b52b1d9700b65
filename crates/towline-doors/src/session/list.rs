//! The caller's uploads.

use axum::extract::State;
use axum::response::Response;
use towline_core::catalog::Cursor;
use towline_core::clock::Timestamp;
use towline_core::engine::Listing;
use towline_core::upload::{PhaseName, UploadId};

use super::wire::{SessionLine, SessionsReply, Status};
use crate::DoorState;
use crate::auth::Caller;
use crate::json::{Query, reply};
use crate::refused::Refused;

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// Your uploads, newest first.
#[utoipa::path(
    get, path = "/sessions", tag = "session",
    params(
        ("status" = Option<Status>, Query, description = "Only these"),
        ("limit" = Option<u32>, Query, description = "At most so many", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "`next` of the page before", pattern = "^[0-9]{1,15}\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    ),
    responses((status = 200, description = "A page of uploads", body = SessionsReply)),
)]
pub(super) async fn sessions(
    State(state): State<DoorState>,
    Caller(who): Caller,
    query: Query,
) -> Result<Response, Refused> {
    let phases = query.text("status").map_or(Ok(Vec::new()), phases)?;
    let limit = query.number("limit", (1, LIMIT_MAX))?.unwrap_or(LIMIT_DEFAULT) as usize;
    let after = query.text("after").map(cursor).transpose()?;
    let total = state.engine.count(&who, phases.clone()).await?;
    let listing = Listing { phases, after, limit };
    let page = state.engine.list(&who, listing).await?;
    Ok(reply(&SessionsReply {
        total,
        sessions: page.uploads.iter().map(SessionLine::new).collect(),
        next: page.next.map(to_text),
    }))
}

fn phases(word: &str) -> Result<Vec<PhaseName>, Refused> {
    let known = Status::ALL.into_iter().find(|status| status.word() == word);
    known.map(Status::phases).ok_or_else(|| {
        let words = Status::ALL.map(Status::word).join(", ");
        Refused::field("status", format!("is not one of {words}"))
    })
}

fn to_text(cursor: Cursor) -> String {
    format!("{}.{}", cursor.created_at.as_millis(), cursor.id)
}

fn cursor(text: &str) -> Result<Cursor, Refused> {
    let parsed = text.split_once('.').and_then(|(millis, id)| {
        Some(Cursor { created_at: Timestamp::from_millis(millis.parse().ok()?), id: UploadId::parse(id)? })
    });
    parsed.ok_or_else(|| Refused::field("after", "is not the 'next' of a page"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_back(millis in any::<i64>(), id in any::<u128>(), text in ".*") {
            let given = Cursor {
                created_at: Timestamp::from_millis(millis),
                id: UploadId::from_u128(id),
            };
            prop_assert_eq!(cursor(&to_text(given)).unwrap(), given);
            cursor(&text).ok();
        }
    }
}
