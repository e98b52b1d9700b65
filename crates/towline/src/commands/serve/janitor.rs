//! The janitor's rounds in a running server, and the log of what nobody else is told.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use towline_core::Engine;
use towline_core::engine::Swept;
use towline_core::error::chain;

/// A place without an upload may belong to a create that is under way; not for this long.
const GRACE: Duration = Duration::from_hours(1);

/// Sweeps now and then until the stop; a sweep can be broken off anywhere.
pub(super) async fn run(engine: Engine, every: Duration, stop: CancellationToken) {
    let rounds = async {
        loop {
            sweep(&engine).await;
            // Nodes that began together do not sweep together.
            tokio::time::sleep(every.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        }
    };
    Box::pin(stop.run_until_cancelled(rounds)).await;
    log_ignored(&engine);
}

async fn sweep(engine: &Engine) {
    match engine.sweep(GRACE).await {
        Ok(swept) if swept == Swept::default() => tracing::debug!("nothing to sweep"),
        Ok(swept) => tracing::info!(
            expired = swept.expired,
            healed = swept.healed,
            cleared = swept.cleared,
            forgotten = swept.forgotten,
            orphans = swept.orphans,
            "swept"
        ),
        Err(error) => tracing::error!(error = chain(&error), "the sweep broke off"),
    }
    log_ignored(engine);
}

fn log_ignored(engine: &Engine) {
    for fault in engine.tally().take_ignored() {
        tracing::warn!(error = chain(&fault), "clean-up will be tried again");
    }
}
