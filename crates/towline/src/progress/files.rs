//! All files of a run: what has happened to them, and what of it waits to be said. Nothing is written here, so that
//! whoever moves bytes never waits for a reader.

use std::time::Duration;

use serde_json::Value;
use towline_client::event::{Event, FileNumber};

use super::bars::Frame;
use super::queue::{Channel, Queue};
use super::rate::Rate;
use super::tally::Tally;
use super::{Named, Style, events, text};

const LINE_EVERY: Duration = Duration::from_secs(5);
const EVENT_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Files {
    style: Style,
    pub(super) named: Vec<Named>,
    pub(super) tallies: Vec<Tally>,
    /// Of all files together.
    rate: Rate,
    pub(super) queue: Queue,
    shown_at: Duration,
}

impl Files {
    pub(super) fn new(style: Style, named: Vec<Named>) -> Self {
        let tallies = named.iter().map(|file| Tally::new(file.total_bytes)).collect();
        let (rate, queue) = (Rate::default(), Queue::default());
        Self { style, named, tallies, rate, queue, shown_at: Duration::ZERO }
    }

    /// Counts what happened, and says it where that is asked for.
    pub(super) fn take(&mut self, file: FileNumber, event: &Event<'_>, now: Duration) {
        self.share(event);
        let (Some(named), Some(tally)) = (self.named.get(file.0), self.tallies.get_mut(file.0)) else {
            return;
        };
        tally.take(event);
        if matches!(event, Event::Began { .. }) {
            tally.sample(now);
        }
        match self.style {
            Style::Quiet => {}
            Style::Events => match events::told(named, tally, event) {
                Some(told) if events::must_arrive(event) => self.tell(&told),
                Some(told) => self.queue.offer(Channel::Data, &format!("{told}\n")),
                None => {}
            },
            Style::Bars | Style::Lines => {
                if let Some(remark) = text::remark(named, event, self.style == Style::Lines) {
                    self.queue.offer(Channel::Words, &remark);
                }
            }
        }
    }

    /// Adds an event that must not be lost.
    pub(super) fn tell(&mut self, event: &Value) {
        self.queue.push(Channel::Data, &format!("{event}\n"));
    }

    /// How far all are by now: as text that is to be written, or as bars.
    pub(super) fn show(&mut self, now: Duration) -> Option<Frame> {
        self.sample(now);
        match self.style {
            Style::Quiet => {}
            Style::Bars => return Some(Frame::of(&self.named, &self.tallies, &self.rate)),
            Style::Lines => {
                if self.is_due(now, LINE_EVERY) {
                    let line = text::line(&self.named, &self.tallies, &self.rate);
                    self.queue.offer(Channel::Words, &format!("{line}\n"));
                }
            }
            Style::Events => {
                if self.is_due(now, EVENT_EVERY) {
                    for told in events::progress(&self.named, &self.tallies) {
                        self.queue.offer(Channel::Data, &format!("{told}\n"));
                    }
                }
            }
        }
        None
    }

    fn is_due(&mut self, now: Duration, every: Duration) -> bool {
        let is_due = now >= self.shown_at + every;
        if is_due {
            self.shown_at = now;
        }
        is_due
    }

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
