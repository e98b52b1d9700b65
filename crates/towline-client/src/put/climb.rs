//! How many parts at once: up while that makes the upload faster, down when the other end has too much to do. Pure; the
//! time is an argument.

use std::time::Duration;

/// Where everybody begins.
pub(super) const START: usize = 4;
const MOST: usize = 32;
/// How long a rate is measured before it is believed.
const WINDOW: Duration = Duration::from_secs(2);
/// After a change, what fills the buffers of the line says nothing of its rate.
const SETTLE: Duration = Duration::from_secs(1);
/// How long to stay after a step up that brought nothing, and after a step down.
const REST: Duration = Duration::from_secs(15);
/// Of what a step up could bring at best, this share makes it worth while.
const WORTH: f64 = 0.3;

/// A search for the number of parts under way that suits the line.
#[derive(Debug)]
pub(super) struct Climb {
    limit: usize,
    /// The number before the last step up and the rate that it had, while the step is on trial.
    trial: Option<(usize, f64)>,
    /// Since the run began.
    begins_at: Duration,
    bytes: u64,
    rests_until: Duration,
    /// Parts that are refused together count once.
    deaf_until: Duration,
}

impl Climb {
    pub(super) fn new() -> Self {
        let at_once = Duration::ZERO;
        Self {
            limit: START,
            trial: None,
            begins_at: SETTLE,
            bytes: 0,
            rests_until: at_once,
            deaf_until: at_once,
        }
    }

    /// Counts bytes that went out at a moment. `is_full` says whether all that may be under way is: only then the number
    /// is what holds the upload back. Gives the new number when it changes.
    pub(super) fn sent(&mut self, bytes: u64, now: Duration, is_full: bool) -> Option<usize> {
        if !is_full {
            self.measure_from(now);
            return None;
        }
        if now < self.begins_at {
            return None;
        }
        self.bytes += bytes;
        let span = now.checked_sub(self.begins_at).unwrap_or_default();
        if span < WINDOW {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = self.bytes as f64 / span.as_secs_f64();
        self.judge(rate, now)
    }

    /// The other end asked for less, or did not answer in time.
    pub(super) fn crowded(&mut self, now: Duration) -> Option<usize> {
        if now < self.deaf_until {
            return None;
        }
        self.trial = None;
        self.deaf_until = now + SETTLE;
        self.rests_until = now + REST;
        self.change((self.limit / 2).max(1), now)
    }

    fn judge(&mut self, rate: f64, now: Duration) -> Option<usize> {
        match self.trial.take() {
            Some((before, old_rate)) if !is_worth(old_rate, rate, before, self.limit) => {
                self.rests_until = now + REST;
                self.change(before, now)
            }
            Some(_) | None if now >= self.rests_until && self.limit < MOST => {
                self.trial = Some((self.limit, rate));
                self.change((self.limit + (self.limit / 2).max(1)).min(MOST), now)
            }
            Some(_) | None => {
                self.measure_from(now);
                None
            }
        }
    }

    fn change(&mut self, limit: usize, now: Duration) -> Option<usize> {
        let is_other = limit != self.limit;
        self.limit = limit;
        self.measure_from(now + SETTLE);
        is_other.then_some(limit)
    }

    fn measure_from(&mut self, at: Duration) {
        self.begins_at = self.begins_at.max(at);
        self.bytes = 0;
    }
}

/// Whether going from `before` to `after` brought enough.
fn is_worth(old_rate: f64, rate: f64, before: usize, after: usize) -> bool {
    let [before, after] = [before, after].map(|count| u32::try_from(count).map_or(f64::MAX, f64::from));
    rate >= old_rate * (1.0 + (after / before - 1.0) * WORTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line on which `rate` tells what so many parts at once get together, in bytes a second.
    fn settle(climb: &mut Climb, seconds: u64, rate: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut seen = vec![climb.limit];
        let from = climb.begins_at.as_millis().try_into().unwrap_or(0);
        for tick in 0..seconds * 10 {
            let now = Duration::from_millis(from + tick * 100);
            seen.extend(climb.sent(rate(climb.limit) / 10, now, true));
        }
        seen
    }

    #[test]
    fn it_climbs_while_every_part_has_a_line_of_its_own() {
        let seen = settle(&mut Climb::new(), 60, |workers| 1_000_000 * workers as u64);
        assert_eq!(seen, [4, 6, 9, 13, 19, 28, 32]);
    }

    #[test]
    fn it_comes_back_from_a_step_that_brings_nothing_and_tries_again_later() {
        let seen = settle(&mut Climb::new(), 20, |_| 5_000_000);
        assert_eq!(seen, [4, 6, 4]);
        let seen = settle(&mut Climb::new(), 25, |_| 5_000_000);
        assert_eq!(seen, [4, 6, 4, 6, 4]);
    }

    #[test]
    fn it_stops_where_the_line_is_full() {
        let seen = settle(&mut Climb::new(), 20, |workers| 1_000_000 * workers.min(9) as u64);
        assert_eq!(seen, [4, 6, 9, 13, 9]);
    }

    #[test]
    fn it_halves_once_for_all_that_are_refused_together() {
        let mut climb = Climb::new();
        let now = Duration::from_secs(10);
        assert_eq!(climb.crowded(now), Some(2));
        assert_eq!(climb.crowded(now + Duration::from_millis(10)), None);
        assert_eq!(climb.crowded(now + Duration::from_secs(3)), Some(1));
        assert_eq!(climb.crowded(now + Duration::from_secs(6)), None);
        assert_eq!(climb.limit, 1);
    }

    #[test]
    fn a_number_that_is_not_reached_is_not_judged() {
        let mut climb = Climb::new();
        for second in 0..100 {
            assert_eq!(climb.sent(1_000_000, Duration::from_secs(second), false), None);
        }
    }
}
