//! Shows how files get on: bars on a terminal, a line now and then where there is none, or events for scripts. What is
//! counted is in `tally`, how it reads in `text`.

mod bars;
mod events;
mod rate;
mod tally;
mod text;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};
use towline_client::event::{Event, FileNumber, Watch};

use crate::output::{self, printable};

use bars::Bars;
use rate::Rate;

pub(crate) use tally::Tally;

const TICK: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// A file of this run.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// As people call it here.
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) total_bytes: Option<u64>,
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
    begun: Instant,
    bars: Bars,
    files: Mutex<Files>,
}

#[derive(Debug)]
struct Files {
    named: Vec<Named>,
    tallies: Vec<Tally>,
    /// Of all files together.
    rate: Rate,
    /// Lines for standard output that wait for the next tick: whoever tells an event must not wait for a reader.
    events: Vec<Value>,
    /// The same for people.
    remarks: String,
    shown_at: Duration,
}

impl Progress {
    pub(crate) fn new(style: Style, named: Vec<Named>) -> Self {
        let tallies = named.iter().map(|file| Tally::new(file.total_bytes)).collect();
        let bars = Bars::new(style == Style::Bars, named.len());
        let files = Files {
            named,
            tallies,
            rate: Rate::default(),
            events: Vec::new(),
            remarks: String::new(),
            shown_at: Duration::ZERO,
        };
        Self { style, begun: Instant::now(), bars, files: Mutex::new(files) }
    }

    /// Runs the work and shows how it gets on until it ends. Dropped, both end.
    pub(crate) async fn accompany<T>(&self, work: impl Future<Output = T>) -> T {
        let ticks = async {
            let mut ticks = interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.show();
            }
        };
        tokio::select! {
            done = work => {
                self.end();
                done
            }
            never = ticks => never,
        }
    }

    /// Takes the bars away and says what was not said yet.
    pub(crate) fn end(&self) {
        self.bars.clear();
        self.catch_up();
    }

    /// Writes data between the bars.
    pub(crate) fn data(&self, text: &str) -> anyhow::Result<()> {
        self.bars.beside(|| output::data(text))
    }

    /// Writes for people what scripts hear as events.
    pub(crate) fn print(&self, text: &str) -> anyhow::Result<()> {
        self.catch_up();
        if matches!(self.style, Style::Bars | Style::Lines) { self.data(text) } else { Ok(()) }
    }

    /// The files that have an upload and are not done, each with its id.
    pub(crate) fn unfinished(&self) -> Vec<(String, String)> {
        let files = self.files();
        let under_way = files.named.iter().zip(&files.tallies).filter(|(_, tally)| tally.is_under_way());
        under_way.filter_map(|(file, tally)| Some((file.shown(), tally.ticket.clone()?.id))).collect()
    }

    /// Adds an event of ours for scripts, where they listen.
    pub(crate) fn tell(&self, event: Value) {
        if self.style == Style::Events {
            self.files().events.push(event);
        }
    }

    /// Tells people something between the bars, if they want to hear.
    pub(crate) fn say(&self, text: &str) {
        if matches!(self.style, Style::Bars | Style::Lines) {
            self.bars.beside(|| output::say(text));
        }
    }

    /// Tells of an error, whatever the style.
    pub(crate) fn complain(&self, text: &str) {
        self.catch_up();
        self.bars.beside(|| output::say(text));
    }

    pub(crate) fn tally(&self, file: FileNumber) -> Tally {
        self.files().tallies.get(file.0).cloned().unwrap_or_default()
    }

    pub(crate) fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what waits to be said.
    fn catch_up(&self) {
        let (events, remarks) = {
            let mut files = self.files();
            (std::mem::take(&mut files.events), std::mem::take(&mut files.remarks))
        };
        if !remarks.is_empty() {
            self.say(&remarks);
        }
        self.write(&events);
    }

    fn show(&self) {
        self.catch_up();
        let now = self.begun.elapsed();
        let mut files = self.files();
        files.sample(now);
        match self.style {
            Style::Quiet => {}
            Style::Bars => self.bars.show(&files.named, &files.tallies, &files.rate),
            Style::Lines => {
                if now >= files.shown_at + LINE_EVERY {
                    files.shown_at = now;
                    let line = text::line(&files.named, &files.tallies, &files.rate);
                    drop(files);
                    output::say(&format!("{line}\n"));
                }
            }
            Style::Events => {
                if now >= files.shown_at + EVENT_EVERY {
                    files.shown_at = now;
                    let progress = events::progress(&files.named, &files.tallies);
                    files.events.extend(progress);
                }
            }
        }
    }

    fn write(&self, events: &[Value]) {
        let mut lines = String::new();
        for event in events {
            writeln!(lines, "{event}").expect("a String takes every write");
        }
        if let (false, Err(error)) = (lines.is_empty(), self.data(&lines)) {
            output::say(&format!("warning: {error:#}\n"));
        }
    }
}

impl Files {
    /// Workers belong to all files that are under way.
    fn share(&mut self, event: &Event<'_>) {
        if let Event::Workers { .. } = event {
            for tally in self.tallies.iter_mut().filter(|tally| tally.is_under_way()) {
                tally.take(event);
            }
        }
    }

    fn sample(&mut self, now: Duration) {
        for tally in self.tallies.iter_mut().filter(|tally| tally.is_under_way()) {
            tally.sample(now);
        }
        let sent = self.tallies.iter().map(Tally::sent_bytes).sum();
        self.rate.sample(now, sent);
    }
}

impl Watch for Progress {
    fn see(&self, file: FileNumber, event: Event<'_>) {
        let mut files = self.files();
        files.share(&event);
        let Files { named, tallies, events, remarks, .. } = &mut *files;
        let (Some(named), Some(tally)) = (named.get(file.0), tallies.get_mut(file.0)) else {
            return;
        };
        tally.take(&event);
        if matches!(event, Event::Began { .. }) {
            tally.sample(self.begun.elapsed());
        }
        match self.style {
            Style::Quiet => {}
            Style::Events => events.extend(events::told(named, tally, &event)),
            Style::Bars => remarks.extend(text::remark(&named.name, &event, false)),
            Style::Lines => remarks.extend(text::remark(&named.name, &event, true)),
        }
    }
}

impl Named {
    /// Safe for a terminal.
    pub(crate) fn shown(&self) -> String {
        printable(&self.name)
    }
}
