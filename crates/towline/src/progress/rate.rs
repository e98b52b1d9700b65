//! How fast it goes right now: over the last seconds, not since the beginning.

use std::collections::VecDeque;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(10);
/// Before that, a rate would be a guess.
const LEAST: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// So many bytes had been handed over at this moment, all in all.
    pub(super) fn sample(&mut self, now: Duration, bytes: u64) {
        while self.samples.get(1).is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, bytes));
    }

    /// Nothing while nobody can tell.
    pub(super) fn bytes_per_s(&self) -> Option<u64> {
        let ((from, before), (to, after)) = (self.samples.front()?, self.samples.back()?);
        let span = to.saturating_sub(*from);
        // What was lost meanwhile was not handed over.
        let bytes = u128::from(after.saturating_sub(*before));
        (span >= LEAST).then(|| u64::try_from(bytes * 1000 / span.as_millis()).unwrap_or(u64::MAX))
    }

    /// How long the rest will take; nothing while nothing moves.
    pub(super) fn left(&self, rest_bytes: u64) -> Option<Duration> {
        let rate = self.bytes_per_s().filter(|rate| *rate > 0)?;
        Some(Duration::from_secs(rest_bytes.div_ceil(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_last_seconds_count() {
        let mut rate = Rate::default();
        assert_eq!(rate.bytes_per_s(), None);
        for second in 0..60 {
            rate.sample(at(second), second * 100);
        }
        assert_eq!(rate.bytes_per_s(), Some(100));
        assert_eq!(rate.left(1000), Some(at(10)));
        for second in 60..75 {
            rate.sample(at(second), 5900);
        }
        assert_eq!(rate.bytes_per_s(), Some(0));
        assert_eq!(rate.left(1000), None);
    }

    #[test]
    fn what_was_lost_does_not_make_it_negative() {
        let mut rate = Rate::default();
        rate.sample(at(0), 1000);
        rate.sample(at(1), 500);
        assert_eq!(rate.bytes_per_s(), Some(0));
    }

    #[test]
    fn a_moment_is_no_rate() {
        let mut rate = Rate::default();
        rate.sample(at(0), 0);
        rate.sample(Duration::from_millis(100), 1 << 30);
        assert_eq!(rate.bytes_per_s(), None);
    }
}
