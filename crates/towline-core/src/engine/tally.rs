//! What the engine did since it began, as counters. How they are published is the binary's business.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::Fault;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    UploadsCreated,
    UploadsResumed,
    PartsLanded,
    PartsRepeated,
    PartsRefused,
    BytesLanded,
    BodiesTakenOver,
    UploadsSealed,
    UploadsAbandoned,
    UploadsExpired,
    OrphansSwept,
    FaultsIgnored,
}

impl Count {
    pub const ALL: [Self; 12] = [
        Self::UploadsCreated,
        Self::UploadsResumed,
        Self::PartsLanded,
        Self::PartsRepeated,
        Self::PartsRefused,
        Self::BytesLanded,
        Self::BodiesTakenOver,
        Self::UploadsSealed,
        Self::UploadsAbandoned,
        Self::UploadsExpired,
        Self::OrphansSwept,
        Self::FaultsIgnored,
    ];

    /// The name and the help text of a metric.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::UploadsCreated => ("uploads_created", "Uploads created"),
            Self::UploadsResumed => ("uploads_resumed", "Creates that found an unfinished upload again"),
            Self::PartsLanded => ("parts_landed", "Parts that became durable and were recorded"),
            Self::PartsRepeated => ("parts_repeated", "Parts that were sent again with the same content"),
            Self::PartsRefused => ("parts_refused", "Bodies that were refused or cut"),
            Self::BytesLanded => ("bytes_landed", "Bytes of landed parts and parked tails"),
            Self::BodiesTakenOver => ("bodies_taken_over", "Bodies cut because a newer request took over"),
            Self::UploadsSealed => ("uploads_sealed", "Uploads that became objects"),
            Self::UploadsAbandoned => ("uploads_abandoned", "Uploads cancelled by their owners"),
            Self::UploadsExpired => ("uploads_expired", "Uploads given up after their time"),
            Self::OrphansSwept => ("orphans_swept", "Places without an upload that were removed"),
            Self::FaultsIgnored => ("faults_ignored", "Faults of clean-up work that will be tried again"),
        }
    }
}

/// How many faults are kept for the logger between two looks.
const IGNORED_MAX: usize = 64;

/// Counters of one engine.
#[derive(Default)]
pub struct Tally {
    counts: [AtomicU64; Count::ALL.len()],
    ignored: Mutex<Vec<Fault>>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Count::ALL.map(|count| (count, self.get(count)))).finish()
    }
}

impl Tally {
    pub fn get(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    /// Faults that no caller was told of, for the log; each is given out once.
    pub fn take_ignored(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.ignored.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&self, count: Count, amount: u64) {
        self.counts[count as usize].fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn note_ignored(&self, fault: &Fault) {
        self.add(Count::FaultsIgnored, 1);
        let mut ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        if ignored.len() < IGNORED_MAX {
            ignored.push(fault.clone());
        }
    }
}
