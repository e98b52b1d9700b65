//! News of an upload as it happens, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use towline_core::event::Watcher;
use towline_core::policy::Principal;
use towline_core::upload::{Upload, UploadId};
use towline_core::{Engine, Refusal};

use super::wire::EventData;
use crate::DoorState;
use crate::auth::Caller;
use crate::json::UploadPath;
use crate::refused::Refused;

/// Changes in quick succession are one event: five a second at most.
const PACE: Duration = Duration::from_millis(200);
/// How often a quiet stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When to come again where too many watch.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// News of an upload: its state at once, then each change, until it has ended.
#[utoipa::path(
    get, path = "/upload/{session_id}/events", tag = "session",
    params(("session_id" = String, Path, description = "From init")),
    responses((status = 200, description = "Events named `progress`, and one named `end`", body = EventData, content_type = "text/event-stream")),
)]
pub(super) async fn events(
    State(state): State<DoorState>,
    Caller(who): Caller,
    UploadPath(id): UploadPath,
) -> Result<Response, Refused> {
    let seat = state.watchers.try_acquire_owned().map_err(|_| Refusal::Busy { retry_after: FULL_WAIT })?;
    // Watching begins before the first look, so that no change falls in between.
    let watcher = state.engine.watch(id);
    let first = state.engine.status(&who, id).await?;
    let watch = Watch {
        engine: state.engine,
        who,
        id,
        watcher,
        due: Some(first),
        paced_until: Instant::now() + PACE,
        _seat: seat,
    };
    let stream = stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        let (chunk, is_last) = watch.next().await?;
        Some((Ok::<Bytes, Infallible>(chunk), (!is_last).then_some(watch)))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Watch {
    engine: Engine,
    who: Principal,
    id: UploadId,
    watcher: Watcher,
    /// Known already, to be told next.
    due: Option<Upload>,
    paced_until: Instant,
    _seat: OwnedSemaphorePermit,
}

impl Watch {
    /// The next chunk, and whether it is the last. Nothing when the server stops or the upload is gone.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        if let Some(upload) = self.due.take() {
            return Some(to_chunk(&upload));
        }
        let engine = self.engine.clone();
        let changed = tokio::select! {
            () = engine.stopping() => return None,
            changed = timeout(HEARTBEAT, self.change()) => changed,
        };
        if changed.is_err() {
            return Some((Bytes::from_static(b": still here\n\n"), false));
        }
        let upload = engine.status(&self.who, self.id).await.ok()?;
        self.paced_until = Instant::now() + PACE;
        Some(to_chunk(&upload))
    }

    async fn change(&mut self) {
        self.watcher.changed().await;
        sleep_until(self.paced_until).await;
    }
}

fn to_chunk(upload: &Upload) -> (Bytes, bool) {
    let data = EventData::new(upload);
    let is_last = data.status.is_end();
    let name = if is_last { "end" } else { "progress" };
    let json = serde_json::to_string(&data).expect("an event is plain data");
    (format!("event: {name}\ndata: {json}\n\n").into(), is_last)
}
