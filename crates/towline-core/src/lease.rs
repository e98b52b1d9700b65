//! The right to write into one slot of one upload, within this process. A newcomer cuts the older body at once
//! and gets the slot when no write of the older one can be under way any more. Sealing and abandoning freeze
//! an upload: all its bodies are cut and no new one begins.
//!
//! Across processes the catalog's epochs fence; a data folder on disk belongs to one process.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::upload::UploadId;

/// What can be leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    /// The slot of a part.
    Slot(u32),
    /// The end of the upload, to append there.
    End,
    /// The whole upload: held alone.
    Whole,
}

/// How often a seat may have changed hands; compare with [`Lease::generation`].
///
/// What was read of an upload before its seat was taken still holds when no other lease of that seat, and no
/// freeze, ended in between. Different seats may share a counter: that costs a second read, never a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    seat: u64,
    whole: u64,
}

const COUNTERS: usize = 1024;

struct Table {
    state: Mutex<State>,
    hasher: RandomState,
}

struct State {
    held: HashMap<(UploadId, Seat), Held>,
    released: Box<[u64]>,
}

struct Held {
    cut: CancellationToken,
    /// Closes when the last clone of the lease is gone.
    gone: watch::Receiver<()>,
}

/// All leases of a process.
#[derive(Clone)]
pub struct Leases(Arc<Table>);

impl Default for Leases {
    fn default() -> Self {
        let state = State { held: HashMap::new(), released: vec![0; COUNTERS].into_boxed_slice() };
        Self(Arc::new(Table { state: Mutex::new(state), hasher: RandomState::new() }))
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leases")
    }
}

/// Cheap to clone; whoever may still write holds a clone (a blocking write that outlives its request, too).
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    table: Arc<Table>,
    what: (UploadId, Seat),
    generation: Generation,
    cut: CancellationToken,
    /// Dropped after the entry is removed, which is what waiters wait for.
    _gone: watch::Sender<()>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.0.what).finish()
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counter(&self, id: UploadId, seat: Seat) -> usize {
        let hash = self.hasher.hash_one((id, seat));
        usize::try_from(hash % COUNTERS as u64).expect("the number of counters fits")
    }

    fn generation(&self, state: &State, id: UploadId, seat: Seat) -> Generation {
        Generation {
            seat: state.released[self.counter(id, seat)],
            whole: state.released[self.counter(id, Seat::Whole)],
        }
    }
}

impl Leases {
    /// Remember this before reading what the lease is to protect.
    pub fn generation(&self, id: UploadId, seat: Seat) -> Generation {
        self.0.generation(&self.0.lock(), id, seat)
    }

    /// Takes the seat, from whoever has it. Nothing when the older holder is not gone within `wait`.
    pub async fn take(&self, id: UploadId, seat: Seat, wait: Duration) -> Option<Lease> {
        tokio::time::timeout(wait, async {
            loop {
                match self.try_take(id, seat) {
                    Ok(lease) => return lease,
                    // An error means that the sender is gone: the seat is free, or somebody else was quicker.
                    Err(mut gone) => while gone.changed().await.is_ok() {},
                }
            }
        })
        .await
        .ok()
    }

    /// Cuts all bodies of an upload and waits until they are gone; none begins before the lease is dropped.
    pub async fn freeze(&self, id: UploadId, wait: Duration) -> Option<Lease> {
        let until = tokio::time::Instant::now() + wait;
        let whole = self.take(id, Seat::Whole, wait).await?;
        let others: Vec<_> = {
            let state = self.0.lock();
            let others = state.held.iter().filter(|((of, seat), _)| *of == id && *seat != Seat::Whole);
            others.map(|(_, held)| (held.cut.clone(), held.gone.clone())).collect()
        };
        for (cut, _) in &others {
            cut.cancel();
        }
        tokio::time::timeout_at(until, async {
            for (_, mut gone) in others {
                while gone.changed().await.is_ok() {}
            }
        })
        .await
        .ok()?;
        Some(whole)
    }

    /// Whether a body of the upload is under way, or it is frozen.
    pub fn is_held(&self, id: UploadId) -> bool {
        self.0.lock().held.keys().any(|(held, _)| *held == id)
    }

    fn try_take(&self, id: UploadId, seat: Seat) -> Result<Lease, watch::Receiver<()>> {
        let mut state = self.0.lock();
        if let Some(older) = state.held.get(&(id, seat)) {
            // Whoever seals is not cut: what it does is wanted by both.
            if seat != Seat::Whole {
                older.cut.cancel();
            }
            return Err(older.gone.clone());
        }
        if let Some(frozen) = state.held.get(&(id, Seat::Whole)) {
            return Err(frozen.gone.clone());
        }
        let generation = self.0.generation(&state, id, seat);
        let (sender, gone) = watch::channel(());
        let cut = CancellationToken::new();
        state.held.insert((id, seat), Held { cut: cut.clone(), gone });
        let table = Arc::clone(&self.0);
        Ok(Lease(Arc::new(Inner { table, what: (id, seat), generation, cut, _gone: sender })))
    }
}

impl Lease {
    /// Resolves when a newcomer wants the seat.
    pub async fn cut(&self) {
        self.0.cut.cancelled().await;
    }

    pub fn is_cut(&self) -> bool {
        self.0.cut.is_cancelled()
    }

    /// The seat's generation when it was taken.
    pub fn generation(&self) -> Generation {
        self.0.generation
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (id, seat) = self.what;
        let counter = self.table.counter(id, seat);
        let mut state = self.table.lock();
        state.held.remove(&self.what);
        state.released[counter] += 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn id() -> UploadId {
        UploadId::from_u128(7)
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_cuts_the_older_and_waits_until_it_is_gone() {
        let leases = Leases::default();
        let older = leases.take(id(), Seat::Slot(1), WAIT).await.unwrap();
        let still_writing = older.clone();
        let taker = leases.clone();
        let newcomer = TaskTracker::new().spawn(async move { taker.take(id(), Seat::Slot(1), WAIT).await });
        older.cut().await;
        drop(older);
        tokio::task::yield_now().await;
        assert!(!newcomer.is_finished(), "a clone may still write");
        drop(still_writing);
        assert!(newcomer.await.unwrap().is_some());
        assert!(leases.0.lock().held.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn seats_do_not_disturb_each_other_and_waits_are_bounded() {
        let leases = Leases::default();
        let one = leases.take(id(), Seat::Slot(1), WAIT).await.unwrap();
        let two = leases.take(id(), Seat::Slot(2), WAIT).await.unwrap();
        assert!(!one.is_cut() && !two.is_cut());
        assert!(leases.take(id(), Seat::Slot(1), WAIT).await.is_none());
        assert!(one.is_cut() && !two.is_cut());
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_cuts_all_bodies_of_its_upload_and_lets_none_begin() {
        let leases = Leases::default();
        let other = leases.take(UploadId::from_u128(8), Seat::Slot(1), WAIT).await.unwrap();
        let body = leases.take(id(), Seat::Slot(1), WAIT).await.unwrap();
        let freezer = leases.clone();
        let freeze = TaskTracker::new().spawn(async move { freezer.freeze(id(), WAIT).await });
        body.cut().await;
        assert!(!freeze.is_finished());
        drop(body);
        let frozen = freeze.await.unwrap().unwrap();
        assert!(leases.take(id(), Seat::Slot(2), WAIT).await.is_none());
        assert!(!frozen.is_cut() && !other.is_cut());
        drop(frozen);
        assert!(leases.take(id(), Seat::Slot(2), WAIT).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_another_holder_or_a_freeze_ended_no_longer_holds() {
        let leases = Leases::default();
        let before = leases.generation(id(), Seat::Slot(1));
        let lease = leases.take(id(), Seat::Slot(1), WAIT).await.unwrap();
        assert_eq!(lease.generation(), before);
        drop(lease);
        let between = leases.generation(id(), Seat::Slot(1));
        assert_ne!(between, before);
        drop(leases.freeze(id(), WAIT).await.unwrap());
        let lease = leases.take(id(), Seat::Slot(1), WAIT).await.unwrap();
        assert_ne!(lease.generation(), between);
    }
}
