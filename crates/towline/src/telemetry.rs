//! What an operator sees: logs and metrics.

mod logs;
mod meter;
mod process;
mod render;

pub(crate) use logs::{begin_logs, say_what_is_served};
pub(crate) use meter::{Meter, observe};
pub(crate) use render::to_prometheus;
