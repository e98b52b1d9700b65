//! What is to happen in a run, from its seed: the file, the line, the blows. Pure.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

const MIB: usize = 1024 * 1024;
const FILE_BYTES_MAX: usize = 24 * MIB;

#[derive(Debug)]
pub(super) struct Plan {
    /// For the content of the file.
    pub seed: u64,
    pub size_bytes: usize,
    pub part_bytes: usize,
    pub workers: Option<u8>,
    /// The flags of `towline chaos`.
    pub line: Vec<String>,
    /// In order, each so long after the one before.
    pub blows: Vec<(Duration, Blow)>,
    /// Another file lies under the key before.
    pub has_earlier: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// And then the same command again, perhaps by somebody who remembers nothing.
    KillClient {
        is_elsewhere: bool,
    },
    KillServer {
        pause: Duration,
    },
    Change(Change),
}

/// What somebody does to the file while it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Of one byte, somewhere.
    Byte,
    Longer,
    Shorter,
    /// All of it, in place.
    Everything,
}

impl Plan {
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let bound = FILE_BYTES_MAX >> [0, 0, 0, 1, 2, 10][rng.usize(..6)];
        let size_bytes = if rng.u8(..20) == 0 { 0 } else { rng.usize(1..=bound) };
        let blows = (0..rng.u8(..=5)).map(|_| (Duration::from_millis(rng.u64(10..500)), blow(&mut rng)));
        let blows = blows.collect();
        let part_bytes = rng.usize(MIB / 4..=2 * MIB);
        Self {
            seed: rng.u64(..),
            size_bytes,
            part_bytes,
            workers: rng.bool().then(|| rng.u8(1..=8)),
            line: line(&mut rng, number, part_bytes),
            blows,
            has_earlier: rng.u8(..4) == 0,
        }
    }
}

fn blow(rng: &mut Rng) -> Blow {
    match rng.u8(..10) {
        0..4 => Blow::KillClient { is_elsewhere: rng.bool() },
        4..7 => Blow::KillServer { pause: Duration::from_millis(rng.u64(..800)) },
        7.. => Blow::Change(match rng.u8(..4) {
            0 => Change::Byte,
            1 => Change::Longer,
            2 => Change::Shorter,
            _ => Change::Everything,
        }),
    }
}

/// Cut more often than once in a part, most runs would only show that a client gives up.
fn line(rng: &mut Rng, number: u64, part_bytes: usize) -> Vec<String> {
    let mut flags = vec![format!("--seed={number}"), format!("--rate={}mbit", rng.u8(8..50))];
    let mut maybe = |flag: String| {
        if rng.bool() {
            flags.push(flag);
        }
    };
    let mut values = Rng::with_seed(number);
    maybe(format!("--latency={}ms", values.u8(1..30)));
    maybe(format!("--loss={}%", f64::from(values.u8(1..20)) / 100.0));
    maybe(format!("--cut-every={}", values.usize(part_bytes..10 * part_bytes)));
    maybe(format!("--error-rate={}%", values.u8(1..15)));
    maybe(format!("--swallow-rate={}%", values.u8(1..10)));
    if rng.u8(..3) == 0 {
        flags.push(format!("--stall-every={}MiB", values.u8(4..32)));
        flags.push(format!("--stall={}ms", values.u16(200..1500)));
    }
    flags
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size_bytes, part_bytes, workers, line, blows, .. } = self;
        write!(f, "{size_bytes} bytes in parts of {part_bytes}, workers {workers:?}, {}", line.join(" "))?;
        blows.iter().try_for_each(|(after, blow)| write!(f, ", {blow:?} after {after:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_plan_and_all_kinds_of_blows_come() {
        assert_eq!(Plan::of(1, 7).to_string(), Plan::of(1, 7).to_string());
        assert_ne!(Plan::of(1, 7).to_string(), Plan::of(2, 7).to_string());
        let blows: Vec<Blow> =
            (0..100).flat_map(|number| Plan::of(1, number).blows).map(|(_, blow)| blow).collect();
        assert!(blows.iter().any(|blow| matches!(blow, Blow::KillClient { is_elsewhere: true })));
        assert!(blows.iter().any(|blow| matches!(blow, Blow::KillServer { .. })));
        for change in [Change::Byte, Change::Longer, Change::Shorter, Change::Everything] {
            assert!(blows.contains(&Blow::Change(change)), "{change:?}");
        }
    }
}
