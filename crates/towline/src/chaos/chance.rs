//! Chance that can be had again: the same seed, the same connection and the same question give the same answers.

use std::time::Duration;

use super::value::Share;

/// What is left to chance. Each has a source of its own, so that asking for one does not change another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    Cut = 1,
    Stall,
    Requests,
    LossUp,
    LossDown,
    JitterUp,
    JitterDown,
}

/// The source of one kind of chance of one connection.
#[derive(Debug)]
pub(super) struct Chance(fastrand::Rng);

impl Chance {
    pub(super) fn new(seed: u64, connection: u64, question: Question) -> Self {
        // Weyl's constant keeps neighbours of one seed from being the connections of another.
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (connection << 8 | question as u64);
        Self(fastrand::Rng::with_seed(mixed))
    }

    pub(super) fn happens(&mut self, share: Share) -> bool {
        self.0.f64() < share.to_f64()
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// Some time up to this.
    pub(super) fn part_of(&mut self, time: Duration) -> Duration {
        time.mul_f64(self.0.f64())
    }

    /// When something comes next that comes every so often, and does not remember when it came last.
    pub(super) fn time_until(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(self.exponential())
    }

    /// The same in bytes; at least one.
    pub(super) fn bytes_until(&mut self, mean: u64) -> u64 {
        scaled(mean, self.exponential()).max(1)
    }

    /// How many go well before one of this share goes wrong.
    pub(super) fn count_until(&mut self, share: Share) -> u64 {
        if share.is_never() {
            return u64::MAX;
        }
        let trials = (1.0 - self.0.f64()).ln() / (1.0 - share.to_f64()).ln();
        scaled(1, trials)
    }

    fn exponential(&mut self) -> f64 {
        // From above 0 to 1, so that the logarithm is finite.
        -(1.0 - self.0.f64()).ln()
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "chance needs no last digit, and a cast to an integer ends at the integer's ends"
)]
fn scaled(number: u64, by: f64) -> u64 {
    (number as f64 * by) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: u64 = 1 << 20;

    fn drawn(seed: u64, connection: u64, question: Question) -> Vec<u64> {
        let mut chance = Chance::new(seed, connection, question);
        (0..1000).map(|_| chance.bytes_until(MEAN)).collect()
    }

    #[test]
    fn the_same_question_gets_the_same_answer_and_no_other_does() {
        let answers = drawn(7, 3, Question::Cut);
        assert_eq!(answers, drawn(7, 3, Question::Cut));
        for other in [drawn(8, 3, Question::Cut), drawn(7, 4, Question::Cut), drawn(7, 3, Question::Stall)] {
            assert_ne!(answers, other);
        }
    }

    #[test]
    fn what_comes_every_so_often_does_so_on_average() {
        for seed in 0..20 {
            let mean = drawn(seed, 0, Question::Cut).iter().sum::<u64>() / 1000;
            assert!((MEAN * 8 / 10..MEAN * 12 / 10).contains(&mean), "{seed}: {mean}");
            let mut chance = Chance::new(seed, 0, Question::LossUp);
            let share = Share::parse("1%").unwrap();
            let mean = (0..1000).map(|_| chance.count_until(share)).sum::<u64>() / 1000;
            assert!((80..120).contains(&mean), "{seed}: {mean}");
        }
    }

    #[test]
    fn never_and_always_are_meant() {
        let mut chance = Chance::new(1, 1, Question::Requests);
        let (never, always) = (Share::parse("0%").unwrap(), Share::parse("100%").unwrap());
        for _ in 0..1000 {
            assert!(!chance.happens(never) && chance.happens(always));
            assert_eq!((chance.count_until(never), chance.count_until(always)), (u64::MAX, 0));
        }
    }
}
