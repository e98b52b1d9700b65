//! What the clients of a story know: the model that the real thing is compared with.

use std::collections::{BTreeMap, HashSet};

use crate::digest::Digester;

/// What may be recorded for a slot, by everything that was acknowledged or may have happened.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// At least one landing was acknowledged.
    is_acknowledged: bool,
    possible: HashSet<u64>,
    /// CRCs of sends under way, by token.
    active: BTreeMap<u64, u64>,
}

/// The ledger of one life.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    slots: BTreeMap<u32, Register>,
    token: u64,
    /// Nothing below was ever un-said.
    pub(super) offset: u64,
    /// Somebody was told that the upload is given up.
    pub(super) is_abandoned: bool,
    /// Somebody tried to give it up and was not told what came of it.
    pub(super) may_be_abandoned: bool,
    /// Somebody was told that it is sealed, with this CRC.
    pub(super) sealed_crc64: Option<u64>,
}

pub(super) fn crc64(bytes: &[u8]) -> u64 {
    let mut digester = Digester::new([]);
    digester.update(bytes);
    digester.finish().crc64
}

impl Ledger {
    /// A send begins; it may take effect from now on.
    pub(super) fn begin(&mut self, number: u32, bytes: &[u8]) -> u64 {
        self.token += 1;
        let register = self.slots.entry(number).or_default();
        let crc64 = crc64(bytes);
        register.possible.insert(crc64);
        register.active.insert(self.token, crc64);
        self.token
    }

    /// A send was acknowledged: only it and those still under way are possible now.
    pub(super) fn acknowledge(&mut self, number: u32, token: u64) {
        let register = self.slots.entry(number).or_default();
        let crc64 = register.active.remove(&token).expect("it began");
        register.is_acknowledged = true;
        register.possible = register.active.values().copied().collect();
        register.possible.insert(crc64);
    }

    /// A send failed: it may have taken effect all the same.
    pub(super) fn give_up(&mut self, number: u32, token: u64) {
        self.slots.entry(number).or_default().active.remove(&token);
    }

    /// A crash ends all that was under way.
    pub(super) fn crash(&mut self) {
        self.slots.values_mut().for_each(|register| register.active.clear());
    }

    pub(super) fn acknowledged(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().filter(|(_, register)| register.is_acknowledged).map(|(number, _)| *number)
    }

    pub(super) fn is_possible(&self, number: u32, crc64: u64) -> bool {
        self.slots.get(&number).is_some_and(|register| register.possible.contains(&crc64))
    }
}
