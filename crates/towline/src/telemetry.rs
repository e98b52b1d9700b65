//! What an operator sees: logs and metrics.

mod logs;
mod meter;
mod process;
mod render;

use std::error::Error;

pub(crate) use logs::{begin_logs, say_what_is_served};
pub(crate) use meter::{Meter, observe};
pub(crate) use render::to_prometheus;

/// An error with all its causes, as a log wants it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
