//! What the server has acknowledged, kept by its clients: the other side of the books.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// One upload under way.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub id: String,
    parts: BTreeMap<u32, Entry>,
    /// Its end has been asked for: until that is answered nobody can say whether its parts are still listed.
    pub is_ending: bool,
}

/// What one part may be: the CRC last acknowledged, or the one that was on its way when the server died.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    acknowledged: Option<u64>,
    on_its_way: Option<u64>,
}

/// A file that the server said was complete.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub path: PathBuf,
    pub sha256: [u8; 32],
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By client.
    pub accounts: BTreeMap<usize, Account>,
    /// Not yet looked at since the last restart.
    pub sealed: Vec<Sealed>,
    pub violations: Vec<String>,
    pub tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub parts: u64,
    pub sealed: u64,
    pub cancelled: u64,
    pub checks: u64,
}

impl Account {
    pub(super) fn new(id: String) -> Self {
        Self { id, ..Self::default() }
    }

    pub(super) fn sends(&mut self, part: u32, crc64: u64) {
        self.parts.entry(part).or_default().on_its_way = Some(crc64);
    }

    pub(super) fn is_told(&mut self, part: u32, crc64: u64) {
        self.parts.insert(part, Entry { acknowledged: Some(crc64), on_its_way: None });
    }

    /// Compares with what the server lists after a restart, and settles what was on its way. Answers how many parts
    /// were compared, and what is wrong.
    pub(super) fn settle(&mut self, listed: &BTreeMap<u32, u64>) -> (u64, Vec<String>) {
        let mut wrong = Vec::new();
        let mut compared = 0;
        for (part, entry) in &mut self.parts {
            let found = listed.get(part).copied();
            compared += u64::from(entry.acknowledged.is_some());
            if found == entry.acknowledged {
                entry.on_its_way = None;
            } else if found.is_some() && found == entry.on_its_way {
                *entry = Entry { acknowledged: found, on_its_way: None };
            } else {
                wrong.push(format!(
                    "upload {} part {part}: {entry:x?} in the books, {found:x?} listed",
                    self.id
                ));
            }
        }
        for part in listed.keys().filter(|part| !self.parts.contains_key(part)) {
            wrong.push(format!("upload {} lists part {part}, which nobody sent", self.id));
        }
        (compared, wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(account: &mut Account, listed: &[(u32, u64)]) -> usize {
        account.settle(&listed.iter().copied().collect()).1.len()
    }

    #[test]
    fn what_was_acknowledged_must_be_listed_as_it_was() {
        let mut account = Account::new("a".to_owned());
        account.sends(1, 10);
        account.is_told(1, 10);
        assert_eq!(settled(&mut account, &[(1, 10)]), 0);
        assert_eq!(settled(&mut account, &[]), 1);
        assert_eq!(settled(&mut account, &[(1, 11)]), 1);
        assert_eq!(settled(&mut account, &[(1, 10), (2, 5)]), 1);
    }

    #[test]
    fn what_was_on_its_way_may_have_arrived_or_not_but_is_then_settled() {
        let mut account = Account::new("a".to_owned());
        account.is_told(1, 10);
        account.sends(1, 20);
        account.sends(2, 30);
        assert_eq!(settled(&mut account, &[(1, 20)]), 0);
        assert_eq!(settled(&mut account, &[(1, 10)]), 1, "once seen it must stay");
        assert_eq!(settled(&mut account, &[(1, 20), (2, 30)]), 1, "it was not there before");
    }
}
