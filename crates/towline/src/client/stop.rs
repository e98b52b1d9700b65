//! Ctrl-C and its kin.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Complaint;

/// Ends with the next signal that means stop.
pub(crate) async fn interrupted() -> Result<(), Complaint> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
