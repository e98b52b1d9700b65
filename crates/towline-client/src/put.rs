//! Sends a file: finds what is there of it, sends what is not, part by part and again where a part failed, and has the
//! other end make it visible once everything is there.

mod climb;
mod compare;
mod pace;
mod patience;
mod pieces;
mod run;
mod sending;
#[cfg(test)]
mod story;

use std::sync::Arc;

use thiserror::Error;
use towline_core::clock::Clock;

use crate::event::{Event, FileNumber, Report, Watch};
use crate::journal::{Errand, Journal};
use crate::remote::{Order, Remote, Ticket};
use crate::source::Source;
use crate::trouble::Trouble;

pub use pace::Workers;
pub use patience::Patience;

use pace::Pace;
use run::Run;

/// How files are sent.
#[derive(Debug)]
pub struct Options {
    pub workers: Workers,
    pub patience: Patience,
    /// Breaks off on purpose once this share of a file is there.
    pub stop_at: Option<f64>,
    /// Where uploads are remembered, to be found again after anything.
    pub journal: Option<Journal>,
    /// What the journal keeps of the way to the other end. No secrets.
    pub place: serde_json::Value,
    pub clock: Arc<dyn Clock>,
}

/// Sends files to one place. Files that are sent at the same time share the turns.
#[derive(Debug)]
pub struct Put {
    remote: Arc<dyn Remote>,
    watch: Arc<dyn Watch>,
    options: Options,
    pace: Arc<Pace>,
}

/// Why a file is not up. What has landed of it stays, and is found again.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Failure {
    #[error(transparent)]
    Trouble(Trouble),
    /// On purpose, as was asked.
    #[error("broken off on purpose after {sent_bytes} of {total_bytes} bytes")]
    Stopped { ticket: Ticket, sent_bytes: u64, total_bytes: u64 },
    /// Another process sends the same file to the same place.
    #[error("another towline sends this file already{}", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Busy { pid: Option<u32> },
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Put {
    pub fn new(remote: Arc<dyn Remote>, watch: Arc<dyn Watch>, options: Options) -> Self {
        let pace = Arc::new(Pace::new(options.workers));
        Self { remote, watch, options, pace }
    }

    /// Sends one file. Dropped at any moment, what has landed is found again by the next run.
    pub async fn run(&self, number: FileNumber, source: Source, order: Order) -> Result<Report, Failure> {
        let run = Run::new(self, number, (order, None), &source);
        Box::pin(self.end(run, source)).await
    }

    /// The same with this very upload, or not at all.
    pub async fn resume(
        &self,
        number: FileNumber,
        source: Source,
        (order, ticket): (Order, Ticket),
    ) -> Result<Report, Failure> {
        let run = Run::new(self, number, (order, Some(ticket)), &source);
        Box::pin(self.end(run, source)).await
    }

    async fn end(&self, run: Run<'_>, source: Source) -> Result<Report, Failure> {
        let ended = match run.hold() {
            Ok(_hold) => Box::pin(run.send(source)).await,
            Err(busy) => Err(busy),
        };
        match &ended {
            Ok(report) => self.watch.see(run.number, Event::Done(report)),
            Err(failure) => self.watch.see(run.number, Event::Failed { why: &failure.to_string() }),
        }
        ended
    }

    /// What this file is called in the journal.
    pub fn errand(&self, key: &str, source: &Source) -> Errand {
        let path = match source {
            Source::File(file) => Some(file.path().to_owned()),
            Source::Stream(_) => None,
        };
        Errand { remote: self.remote.name(), key: key.to_owned(), path }
    }
}
