//! How often a part is tried, and how long to wait before the next try.

use std::time::Duration;

/// Bounds of trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// All tries of one part together.
    pub tries: u32,
    /// The longest wait before the second try; it doubles from try to try.
    pub pause: Duration,
    pub pause_max: Duration,
}

impl Default for Patience {
    /// With nothing but failures, about two minutes.
    fn default() -> Self {
        Self { tries: 15, pause: Duration::from_millis(200), pause_max: Duration::from_secs(20) }
    }
}

impl Patience {
    /// How long to wait after so many failures; nothing when it is time to give up. `chance` is between 0 and 1: full
    /// jitter, so that parts that failed together do not come back together.
    pub fn wait(&self, failures: u32, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
        if failures >= self.tries {
            return None;
        }
        let doubled = self.pause.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let wait = doubled.min(self.pause_max).mul_f64(chance);
        // Who says when it wants to be asked again is not asked earlier, nor left alone for ever.
        Some(wait + retry_after.unwrap_or_default().min(self.pause_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_end() {
        let patience =
            Patience { tries: 5, pause: Duration::from_secs(1), pause_max: Duration::from_secs(3) };
        let waits: Vec<_> = (1..=5).map(|failures| patience.wait(failures, None, 1.0)).collect();
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(3), seconds(3), None]);
        assert_eq!(patience.wait(1, None, 0.0), Some(Duration::ZERO));
        assert_eq!(patience.wait(1, seconds(2), 1.0), seconds(3));
        assert_eq!(patience.wait(1, Some(Duration::MAX), 1.0), seconds(4));
        assert_eq!(Patience { tries: u32::MAX, ..patience }.wait(u32::MAX - 1, None, 1.0), seconds(3));
    }
}
