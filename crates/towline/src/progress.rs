//! Shows how files get on: bars on a terminal, a line now and then where there is none, or events for scripts. What is
//! counted is in `tally` and `files`, how it reads in `text`, and `teller` writes it, so that nobody waits for a reader.

mod bars;
mod events;
mod files;
mod queue;
mod rate;
mod tally;
mod teller;
mod text;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use towline_client::event::{Event, FileNumber, Watch};

use crate::output::printable;

use queue::Channel;
use teller::Teller;

pub(crate) use tally::Tally;

/// A file of this run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// As people call it here.
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) total_bytes: Option<u64>,
    /// Who is asked for it, in words.
    pub(crate) at: String,
    /// Where it can be had once it is up, where that is known before.
    pub(crate) url: Option<String>,
    /// It comes from there instead of going there.
    pub(crate) is_fetched: bool,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Quiet,
    Bars,
    Lines,
    Events,
}

impl Style {
    /// As the person asked and the terminal can.
    pub(crate) fn new(is_json: bool, is_quiet: bool, terminal: Option<&str>) -> Self {
        match (is_json, is_quiet) {
            (true, _) => Self::Events,
            (false, true) => Self::Quiet,
            (false, false) if io::stderr().is_terminal() && terminal != Some("dumb") => Self::Bars,
            (false, false) => Self::Lines,
        }
    }
}

/// Shows all files of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    style: Style,
    teller: Teller,
}

impl Progress {
    pub(crate) fn new(style: Style, named: Vec<Named>) -> anyhow::Result<Self> {
        let teller = Teller::start(style, named).context("cannot start the thread that shows progress")?;
        Ok(Self { style, teller })
    }

    /// Runs the work and shows how it gets on until it ends.
    pub(crate) async fn accompany<T>(&self, work: impl Future<Output = T>) -> T {
        let done = work.await;
        self.end();
        done
    }

    /// Takes the bars away and says what was not said yet. Of a reader that takes nothing, it is waited for some seconds.
    pub(crate) fn end(&self) {
        self.teller.end();
        if let Some(error) = self.teller.error() {
            self.complain(&format!("warning: {error:#}\n"));
        }
    }

    /// Writes data between the bars. After the end, it is told whether that was possible.
    pub(crate) fn data(&self, text: &str) -> anyhow::Result<()> {
        self.teller.say(Channel::Data, text);
        self.teller.error().map_or(Ok(()), Err)
    }

    /// Writes for people what scripts hear as events.
    pub(crate) fn print(&self, text: &str) -> anyhow::Result<()> {
        if self.is_for_people() { self.data(text) } else { Ok(()) }
    }

    /// The files that have an upload and are not done, each with its id.
    pub(crate) fn unfinished(&self) -> Vec<(String, String)> {
        self.teller.with(|files| {
            let under_way = files.named.iter().zip(&files.tallies).filter(|(_, tally)| tally.is_under_way());
            under_way.filter_map(|(file, tally)| Some((file.shown(), tally.ticket.clone()?.id))).collect()
        })
    }

    /// Adds an event of ours for scripts, where they listen.
    pub(crate) fn tell(&self, event: &Value) {
        if self.style == Style::Events {
            self.teller.with(|files| files.tell(event));
        }
    }

    /// Tells people something between the bars, if they want to hear.
    pub(crate) fn say(&self, text: &str) {
        if self.is_for_people() {
            self.complain(text);
        }
    }

    /// Tells of an error, whatever the style.
    pub(crate) fn complain(&self, text: &str) {
        self.teller.say(Channel::Words, text);
    }

    pub(crate) fn tally(&self, file: FileNumber) -> Tally {
        self.teller.with(|files| files.tallies.get(file.0).cloned().unwrap_or_default())
    }

    pub(crate) fn took(&self) -> Duration {
        self.teller.took()
    }

    fn is_for_people(&self) -> bool {
        matches!(self.style, Style::Bars | Style::Lines)
    }
}

impl Watch for Progress {
    fn see(&self, file: FileNumber, event: Event<'_>) {
        let now = self.took();
        self.teller.with(|files| files.take(file, &event, now));
    }
}

impl Named {
    /// Safe for a terminal.
    pub(crate) fn shown(&self) -> String {
        printable(&self.name)
    }
}
