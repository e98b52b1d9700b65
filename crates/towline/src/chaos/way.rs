//! One way of a connection: when its bytes have left, and when they arrive. Pure: the time is handed in.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Conditions;
use super::chance::{Chance, Question};
use super::value::{Rate, Share};

/// What TCP puts into a packet of an ordinary network.
pub(super) const PACKET_BYTES: u64 = 1460;
/// How long TCP waits at least before it sends a lost packet again (`TCP_RTO_MIN` of Linux).
const RETRANSMIT_WAIT: Duration = Duration::from_millis(200);
/// Timers are late by a millisecond or two. What a connection missed by that it may make up for.
const SLACK: Duration = Duration::from_millis(20);

/// A rate, and until when what was sent takes.
#[derive(Debug)]
struct Gate {
    rate: Option<Rate>,
    free_at: Option<Instant>,
}

impl Gate {
    fn pass(&mut self, now: Instant, bytes: u64) -> Instant {
        let Some(rate) = self.rate else {
            return now;
        };
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let begins_at = self.free_at.map_or(now, |free_at| free_at.max(earliest));
        let free_at = begins_at + rate.time_of(bytes);
        self.free_at = Some(free_at);
        free_at
    }
}

/// What all connections share, one way.
#[derive(Debug)]
pub(super) struct Trunk(Mutex<Gate>);

impl Trunk {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self(Mutex::new(Gate { rate, free_at: None }))
    }

    fn pass(&self, now: Instant, bytes: u64) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pass(now, bytes)
    }
}

/// From clients to the server, or back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    Up,
    Down,
}

/// One way of one connection.
#[derive(Debug)]
pub(super) struct Way {
    gate: Gate,
    latency: Duration,
    jitter: Duration,
    jitters: Chance,
    loss: Share,
    lost: Chance,
    /// So many packets get through before one is lost.
    packets_left: u64,
    /// Bytes never overtake each other.
    arrives_at: Option<Instant>,
}

/// How bytes get over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// When the next bytes can be sent.
    pub(super) left_at: Instant,
    pub(super) arrives_at: Instant,
    /// So many packets of it were lost and sent again.
    pub(super) losses: u64,
}

impl Way {
    pub(super) fn new(conditions: &Conditions, connection: u64, direction: Direction) -> Self {
        let (loss, jitter) = match direction {
            Direction::Up => (Question::LossUp, Question::JitterUp),
            Direction::Down => (Question::LossDown, Question::JitterDown),
        };
        let mut lost = Chance::new(conditions.seed, connection, loss);
        Self {
            gate: Gate { rate: conditions.effective_rate(), free_at: None },
            latency: conditions.latency,
            jitter: conditions.jitter,
            jitters: Chance::new(conditions.seed, connection, jitter),
            loss: conditions.loss,
            packets_left: lost.count_until(conditions.loss),
            lost,
            arrives_at: None,
        }
    }

    /// Sends bytes that are there now.
    pub(super) fn pass(&mut self, now: Instant, bytes: u64, trunk: &Trunk) -> Passage {
        let losses = self.lose(bytes.div_ceil(PACKET_BYTES));
        let pause =
            (RETRANSMIT_WAIT + 2 * self.latency).saturating_mul(u32::try_from(losses).unwrap_or(u32::MAX));
        let own = self.gate.pass(now, bytes);
        let left_at = own.max(trunk.pass(now, bytes)).max(now) + pause;
        if losses > 0 {
            self.gate.free_at = Some(left_at);
        }
        let jitter = if self.jitter.is_zero() { Duration::ZERO } else { self.jitters.part_of(self.jitter) };
        let arrives_at = left_at + self.latency + jitter;
        let arrives_at = self.arrives_at.map_or(arrives_at, |before| before.max(arrives_at));
        self.arrives_at = Some(arrives_at);
        Passage { left_at, arrives_at, losses }
    }

    fn lose(&mut self, mut packets: u64) -> u64 {
        let mut losses = 0;
        while self.packets_left < packets {
            packets -= self.packets_left + 1;
            losses += 1;
            self.packets_left = self.lost.count_until(self.loss);
        }
        // A connection without loss counts down from 2^64, which it never reaches.
        self.packets_left -= packets;
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn way(change: impl FnOnce(&mut Conditions)) -> Way {
        let mut conditions = Conditions { seed: 7, ..Conditions::default() };
        change(&mut conditions);
        Way::new(&conditions, 1, Direction::Up)
    }

    #[test]
    fn a_good_way_takes_no_time() {
        let now = Instant::now();
        let passage = way(|_| ()).pass(now, 1 << 30, &Trunk::new(None));
        assert_eq!(passage, Passage { left_at: now, arrives_at: now, losses: 0 });
    }

    #[test]
    fn bytes_leave_by_the_rate_and_arrive_later_while_the_way_stays_full() {
        let mut way = way(|conditions| {
            conditions.rate = Some(Rate::parse("8mbit").unwrap());
            conditions.latency = 100 * MS;
        });
        let (now, trunk) = (Instant::now(), Trunk::new(None));
        for count in 1..=10 {
            let passage = way.pass(now, 10_000, &trunk);
            assert_eq!(passage.left_at, now + count * 10 * MS);
            assert_eq!(passage.arrives_at, passage.left_at + 100 * MS);
        }
    }

    #[test]
    fn a_late_timer_costs_no_rate_and_idle_time_is_not_saved() {
        let mut way = way(|conditions| conditions.rate = Some(Rate::parse("8mbit").unwrap()));
        let (now, trunk) = (Instant::now(), Trunk::new(None));
        way.pass(now, 10_000, &trunk);
        assert_eq!(way.pass(now + 12 * MS, 10_000, &trunk).left_at, now + 20 * MS);
        let later = now + 1000 * MS;
        assert_eq!(way.pass(later, 30_000, &trunk).left_at, later + 30 * MS - SLACK);
    }

    #[test]
    fn a_window_is_a_rate_once_there_is_a_latency() {
        let mut way = way(|conditions| {
            conditions.window_bytes = 100_000;
            conditions.latency = 50 * MS;
        });
        let now = Instant::now();
        assert_eq!(way.pass(now, 100_000, &Trunk::new(None)).left_at, now + 100 * MS);
    }

    #[test]
    fn connections_share_a_line() {
        let trunk = Trunk::new(Some(Rate::parse("8mbit").unwrap()));
        let (mut first, mut second) = (way(|_| ()), way(|_| ()));
        let now = Instant::now();
        assert_eq!(first.pass(now, 10_000, &trunk).left_at, now + 10 * MS);
        assert_eq!(second.pass(now, 10_000, &trunk).left_at, now + 20 * MS);
    }

    #[test]
    fn jitter_keeps_the_order() {
        let mut way = way(|conditions| conditions.jitter = 50 * MS);
        let (now, trunk) = (Instant::now(), Trunk::new(None));
        let arrivals: Vec<Instant> = (0..100).map(|_| way.pass(now, 1, &trunk).arrives_at).collect();
        assert!(arrivals.is_sorted() && arrivals[99] > now && arrivals[99] <= now + 50 * MS);
    }

    #[test]
    fn a_lost_packet_is_a_pause() {
        let share = Share::parse("1%").unwrap();
        let conditions = |conditions: &mut Conditions| {
            conditions.loss = share;
            conditions.latency = 100 * MS;
        };
        let (mut way, now, trunk) = (way(conditions), Instant::now(), Trunk::new(None));
        let passage = way.pass(now, 1000 * PACKET_BYTES, &trunk);
        assert!((1..30).contains(&passage.losses), "{passage:?}");
        let pauses = u32::try_from(passage.losses).unwrap() * 400 * MS;
        assert!(passage.left_at >= now + pauses && passage.arrives_at == passage.left_at + 100 * MS);
    }
}
