//! A request's body as the engine takes it: frame by frame, none copied.

use std::pin::Pin;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use futures_util::stream::{Stream, StreamExt as _};
use towline_core::engine::BodyEnd;

use crate::declared::Framing;
use crate::form::{self, FrameResult};
use crate::json::whole_number;
use crate::refused::Refused;

/// A body with what its head says of it.
pub(crate) struct Intake {
    pub(crate) framing: Framing,
    /// The part's length, where the head says it.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) frames: Pin<Box<dyn Stream<Item = FrameResult> + Send>>,
}

/// The form field that holds a part's bytes.
const FIELD: &str = "file";

impl Intake {
    pub(crate) fn new(headers: &HeaderMap, body: Body) -> Result<Self, Refused> {
        let is_encoded = headers
            .get(CONTENT_ENCODING)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        if is_encoded {
            // Kept as they are, the bytes would be another file's than the one that was meant.
            return Err(Refused::field("Content-Encoding", "is not undone here: send the bytes as they are"));
        }
        let frames = body.into_data_stream().map(|frame| frame.map_err(|_| BodyEnd::Cut));
        Ok(match form::boundary(headers) {
            Some(boundary) => Self {
                framing: Framing::Form,
                size_bytes: None,
                frames: Box::pin(form::file(frames, &boundary?, FIELD)),
            },
            None => Self {
                framing: Framing::Raw,
                size_bytes: headers
                    .get(CONTENT_LENGTH)
                    .and_then(|value| value.to_str().ok())
                    .and_then(whole_number),
                frames: Box::pin(frames),
            },
        })
    }
}
