//! Logs, always to standard error: data is what standard output is for.

use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};

use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use crate::config::{LogFormat, LogLevel};

/// The start-up line is said at every level: those who start the server wait for it.
const SERVES: &str = "towline::serves";

/// From now on, everything that is logged goes to standard error, panics too.
pub(crate) fn begin_logs(format: LogFormat, level: &LogLevel) {
    let filter = level.targets.clone().with_target(SERVES, Level::INFO);
    match format {
        LogFormat::Text => {
            // Without a word from us, colour depends on `NO_COLOR`.
            let layer = fmt::layer().with_writer(io::stderr).with_target(false);
            let layer = if io::stderr().is_terminal() { layer } else { layer.with_ansi(false) };
            registry().with(layer).with(filter).init();
        }
        LogFormat::Json => {
            let layer = fmt::layer().with_writer(io::stderr).json().flatten_event(true).with_span_list(false);
            registry().with(layer).with(filter).init();
        }
    }
    panic::set_hook(Box::new(log_panic));
}

/// The one start-up line.
pub(crate) fn say_what_is_served(line: &str) {
    tracing::info!(target: SERVES, "{line}");
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, "panic: {}", panic.payload_as_str().unwrap_or("no text"));
}
