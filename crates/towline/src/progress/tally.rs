//! What is known of one file on its way.

use std::time::Duration;

use towline_client::event::Event;
use towline_client::remote::Ticket;

use super::rate::Rate;

/// What happens to the file right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// What the other end has is compared.
    Comparing,
    Moving,
    /// All is there; it is made visible.
    Finishing,
    Done,
    Failed,
}

/// Counts what the events say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(super) stage: Stage,
    pub(crate) ticket: Option<Ticket>,
    pub(super) total_bytes: Option<u64>,
    pub(super) part_bytes: u64,
    pub(super) compared_bytes: u64,
    pub(crate) kept_bytes: u64,
    pub(crate) kept_parts: u32,
    handed_bytes: u64,
    lost_bytes: u64,
    pub(super) landed_parts: u32,
    pub(super) retries: u32,
    pub(super) workers: usize,
    /// Since when nothing has moved, and why.
    pub(super) trouble: Option<String>,
    rate: Rate,
}

impl Tally {
    pub(super) fn new(total_bytes: Option<u64>) -> Self {
        Self { total_bytes, ..Self::default() }
    }

    pub(super) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Began { ticket, total_bytes, part_bytes, .. } => {
                *self = Self {
                    stage: Stage::Moving,
                    ticket: ticket.cloned(),
                    total_bytes: total_bytes.or(self.total_bytes),
                    part_bytes: *part_bytes,
                    // The other end may forget an upload, and it begins anew: what went over the line still did.
                    retries: self.retries,
                    workers: self.workers,
                    ..Self::default()
                };
            }
            Event::Compared { bytes } => {
                self.stage = Stage::Comparing;
                self.compared_bytes += bytes;
            }
            Event::Kept { bytes, parts } => {
                self.kept_bytes += bytes;
                self.kept_parts += parts;
                self.stage = Stage::Moving;
            }
            Event::Sent { bytes } => {
                self.handed_bytes += bytes;
                self.stage = Stage::Moving;
                self.trouble = None;
            }
            Event::Lost { bytes } => self.lost_bytes += bytes,
            Event::Landed { .. } => self.landed_parts += 1,
            Event::Retrying { why, .. } => {
                self.retries += 1;
                self.trouble = Some((*why).to_owned());
            }
            Event::Workers { count } => self.workers = *count,
            Event::Note { .. } => {}
            Event::Finishing => self.stage = Stage::Finishing,
            Event::Done(_) | Event::Fetched(_) => self.stage = Stage::Done,
            Event::Failed { .. } => self.stage = Stage::Failed,
        }
    }

    pub(super) fn sample(&mut self, now: Duration) {
        self.rate.sample(now, self.sent_bytes());
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Comparing | Stage::Moving | Stage::Finishing)
    }

    /// Handed over in this run and not lost since.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.handed_bytes.saturating_sub(self.lost_bytes)
    }

    /// At the other end, or on the line.
    pub(super) fn there_bytes(&self) -> u64 {
        let bytes = self.kept_bytes + self.sent_bytes();
        self.total_bytes.map_or(bytes, |total| bytes.min(total))
    }

    pub(super) fn total_parts(&self) -> Option<u64> {
        let total = self.total_bytes.filter(|_| self.part_bytes > 0)?;
        Some(total.div_ceil(self.part_bytes))
    }

    pub(super) fn there_parts(&self) -> u32 {
        self.kept_parts + self.landed_parts
    }

    /// Not only handed to the line, which may hold much of it for a while.
    pub(super) fn is_whole(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Comparing | Stage::Failed => false,
            Stage::Moving => self.total_parts().is_some_and(|parts| u64::from(self.there_parts()) >= parts),
            Stage::Finishing | Stage::Done => true,
        }
    }

    pub(super) fn bytes_per_s(&self) -> Option<u64> {
        self.rate.bytes_per_s()
    }

    pub(super) fn left(&self) -> Option<Duration> {
        let rest_bytes = self.total_bytes?.saturating_sub(self.there_bytes());
        // All is handed over; what is left is waited for.
        (rest_bytes > 0).then(|| self.rate.left(rest_bytes))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began() -> Event<'static> {
        Event::Began { ticket: None, total_bytes: Some(1000), part_bytes: 100, is_resumed: true }
    }

    fn after(events: &[Event<'_>]) -> Tally {
        let mut tally = Tally::new(Some(1000));
        for (event, second) in events.iter().zip(0..) {
            tally.take(event);
            tally.sample(Duration::from_secs(second));
        }
        tally
    }

    #[test]
    fn what_was_kept_is_there_and_does_not_make_the_line_look_fast() {
        let tally = after(&[began(), Event::Kept { bytes: 500, parts: 5 }, Event::Sent { bytes: 100 }]);
        assert_eq!((tally.there_bytes(), tally.there_parts()), (600, 5));
        assert_eq!(tally.bytes_per_s(), Some(50));
        assert_eq!(tally.left(), Some(Duration::from_secs(8)));
    }

    #[test]
    fn what_was_lost_goes_back() {
        let sent = Event::Sent { bytes: 100 };
        let retrying = Event::Retrying { number: 1, tries: 1, wait: Duration::ZERO, why: "cut" };
        let tally = after(&[began(), sent.clone(), Event::Lost { bytes: 100 }, retrying]);
        assert_eq!((tally.there_bytes(), tally.retries, tally.trouble.as_deref()), (0, 1, Some("cut")));
        let mut tally = tally;
        tally.take(&sent);
        assert_eq!((tally.there_bytes(), tally.trouble), (100, None));
    }

    #[test]
    fn never_more_is_there_than_the_file_has() {
        assert_eq!(after(&[began(), Event::Sent { bytes: 5000 }]).there_bytes(), 1000);
    }

    #[test]
    fn an_upload_that_begins_anew_counts_anew() {
        let kept = Event::Kept { bytes: 500, parts: 5 };
        let tally = after(&[began(), kept, began()]);
        assert_eq!((tally.there_bytes(), tally.there_parts()), (0, 0));
    }
}
