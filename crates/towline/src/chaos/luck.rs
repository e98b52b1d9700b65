//! What befalls one connection, and when: decided by its number and the seed, not by the clock.

use std::time::Duration;

use super::Conditions;
use super::chance::{Chance, Question};
use super::value::{Share, Spacing};

/// What befalls a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    Cut,
    Stall,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Pass,
    /// It is answered here; the server never sees it.
    Refuse(Refusal),
    /// The server does what it asks, and the client never hears of it.
    Swallow,
}

/// An answer that no server gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: &'static str,
    has_retry_after: bool,
}

const REFUSALS: [Refusal; 6] = [
    Refusal { status: "500 Internal Server Error", has_retry_after: false },
    Refusal { status: "502 Bad Gateway", has_retry_after: false },
    Refusal { status: "503 Service Unavailable", has_retry_after: false },
    Refusal { status: "503 Service Unavailable", has_retry_after: true },
    Refusal { status: "429 Too Many Requests", has_retry_after: false },
    Refusal { status: "429 Too Many Requests", has_retry_after: true },
];

impl Refusal {
    /// The whole reply; without its body when only the head is wanted.
    pub(super) fn to_reply(self, is_head: bool) -> String {
        let body = "This answer was made up by towline chaos.\n";
        let retry_after = if self.has_retry_after { "retry-after: 1\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {}\r\nserver: towline-chaos\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n{retry_after}\
             connection: close\r\n\r\n",
            self.status,
            body.len(),
        );
        if is_head { head } else { head + body }
    }
}

/// Decides for one connection.
#[derive(Debug)]
pub(super) struct Luck {
    cut: Recurring,
    stall: Recurring,
    requests: Chance,
    error_rate: Share,
    swallow_rate: Share,
}

impl Luck {
    pub(super) fn new(conditions: &Conditions, connection: u64) -> Self {
        let chance = |question| Chance::new(conditions.seed, connection, question);
        Self {
            cut: Recurring::new(conditions.cut_every, chance(Question::Cut)),
            stall: Recurring::new(conditions.stall_every, chance(Question::Stall)),
            requests: chance(Question::Requests),
            error_rate: conditions.error_rate,
            swallow_rate: conditions.swallow_rate,
        }
    }

    /// How many bytes are carried, both ways together, before something befalls the connection.
    pub(super) fn bytes_left(&self) -> u64 {
        self.cut.bytes_left.min(self.stall.bytes_left)
    }

    /// So many bytes, of those that were left, have been carried.
    pub(super) fn carry(&mut self, bytes: u64) -> Option<Mishap> {
        let stalls = self.stall.carry(bytes).then_some(Mishap::Stall);
        if self.cut.carry(bytes) { Some(Mishap::Cut) } else { stalls }
    }

    /// How long until the next cut that comes with time.
    pub(super) fn time_until_cut(&mut self) -> Option<Duration> {
        self.cut.next_time()
    }

    /// How long until the next stall that comes with time.
    pub(super) fn time_until_stall(&mut self) -> Option<Duration> {
        self.stall.next_time()
    }

    /// What becomes of the next request.
    pub(super) fn fate(&mut self) -> Fate {
        // All is drawn each time, so that one rate does not change what the other one picks.
        let (is_refused, is_swallowed) =
            (self.requests.happens(self.error_rate), self.requests.happens(self.swallow_rate));
        let refusal = REFUSALS[self.requests.below(REFUSALS.len())];
        if is_refused {
            Fate::Refuse(refusal)
        } else if is_swallowed {
            Fate::Swallow
        } else {
            Fate::Pass
        }
    }
}

/// Something that comes again and again.
#[derive(Debug)]
struct Recurring {
    spacing: Option<Spacing>,
    chance: Chance,
    bytes_left: u64,
}

impl Recurring {
    fn new(spacing: Option<Spacing>, chance: Chance) -> Self {
        let mut recurring = Self { spacing, chance, bytes_left: 0 };
        recurring.bytes_left = recurring.next_bytes();
        recurring
    }

    fn next_bytes(&mut self) -> u64 {
        match self.spacing {
            Some(Spacing::Bytes(mean)) => self.chance.bytes_until(mean),
            Some(Spacing::Time(_)) | None => u64::MAX,
        }
    }

    fn next_time(&mut self) -> Option<Duration> {
        match self.spacing {
            Some(Spacing::Time(mean)) => Some(self.chance.time_until(mean)),
            Some(Spacing::Bytes(_)) | None => None,
        }
    }

    fn carry(&mut self, bytes: u64) -> bool {
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        let comes = self.bytes_left == 0;
        if comes {
            self.bytes_left = self.next_bytes();
        }
        comes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(change: impl FnOnce(&mut Conditions)) -> Conditions {
        let mut conditions = Conditions { seed: 7, ..Conditions::default() };
        change(&mut conditions);
        conditions
    }

    /// After how many bytes what happens, until the cut.
    fn life(conditions: &Conditions, step_bytes: u64) -> Vec<(u64, Mishap)> {
        let (mut luck, mut at, mut life) = (Luck::new(conditions, 1), 0, Vec::new());
        while life.last().is_none_or(|(_, mishap)| *mishap != Mishap::Cut) {
            let bytes = step_bytes.min(luck.bytes_left());
            at += bytes;
            life.extend(luck.carry(bytes).map(|mishap| (at, mishap)));
        }
        life
    }

    #[test]
    fn a_connection_has_the_same_life_however_its_bytes_come() {
        let conditions = conditions(|conditions| {
            conditions.cut_every = Some(Spacing::Bytes(1 << 20));
            conditions.stall_every = Some(Spacing::Bytes(1 << 16));
        });
        let whole = life(&conditions, u64::MAX);
        assert!(whole.len() > 1, "{whole:?}");
        assert_eq!(whole, life(&conditions, 1000));
    }

    #[test]
    fn nothing_befalls_a_good_line() {
        let mut luck = Luck::new(&conditions(|_| ()), 1);
        assert_eq!(luck.carry(u64::MAX / 2), None);
        assert_eq!((luck.time_until_cut(), luck.time_until_stall()), (None, None));
        assert!((0..1000).all(|_| luck.fate() == Fate::Pass));
    }

    #[test]
    fn requests_have_the_same_fates_whatever_else_is_asked() {
        let share = Share::parse("30%").unwrap();
        let errors = conditions(|conditions| conditions.error_rate = share);
        let both = conditions(|conditions| (conditions.error_rate, conditions.swallow_rate) = (share, share));
        let fates = |conditions: &Conditions| {
            let mut luck = Luck::new(conditions, 1);
            (0..1000).map(|_| luck.fate()).collect::<Vec<_>>()
        };
        let (errors, both) = (fates(&errors), fates(&both));
        for (alone, together) in errors.iter().zip(&both) {
            assert!(alone == together || (*alone, *together) == (Fate::Pass, Fate::Swallow));
        }
        let refused = errors.iter().filter(|fate| **fate != Fate::Pass).count();
        assert!((250..350).contains(&refused), "{refused}");
        assert!(both.contains(&Fate::Swallow));
    }

    #[test]
    fn a_refusal_is_a_whole_reply() {
        insta::assert_snapshot!(REFUSALS[3].to_reply(false).replace('\r', ""), @r"
        HTTP/1.1 503 Service Unavailable
        server: towline-chaos
        content-type: text/plain
        content-length: 42
        retry-after: 1
        connection: close

        This answer was made up by towline chaos.
        ");
        assert!(REFUSALS[0].to_reply(true).ends_with("\r\n\r\n"));
    }
}
