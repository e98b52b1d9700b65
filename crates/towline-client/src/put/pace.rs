//! Who may send now: a bounded number of parts under way, over all files of a run.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::climb::{Climb, START};

/// How many parts are under way at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// Found out while sending, from four on.
    #[default]
    Adaptive,
    Fixed(usize),
}

/// Hands out turns.
#[derive(Debug)]
pub(super) struct Pace {
    began_at: Instant,
    turns: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Nothing where the number is fixed.
    climb: Option<Climb>,
    limit: usize,
    under_way: usize,
    /// Turns that are not given back when they end.
    debt: usize,
}

/// The right to send one part, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    state: Arc<Mutex<State>>,
}

impl Pace {
    pub(super) fn new(workers: Workers) -> Self {
        let (climb, limit) = match workers {
            Workers::Adaptive => (Some(Climb::new()), START),
            Workers::Fixed(count) => (None, count.clamp(1, Semaphore::MAX_PERMITS)),
        };
        Self {
            began_at: Instant::now(),
            turns: Arc::new(Semaphore::new(limit)),
            state: Arc::new(Mutex::new(State { climb, limit, under_way: 0, debt: 0 })),
        }
    }

    /// Waits for a turn; who came first gets it first.
    pub(super) async fn turn(&self) -> Turn {
        let permit = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        lock(&self.state).under_way += 1;
        Turn { permit: Some(permit), state: Arc::clone(&self.state) }
    }

    pub(super) fn limit(&self) -> usize {
        lock(&self.state).limit
    }

    /// Bytes went out. Gives the number of turns when that changes it.
    pub(super) fn sent(&self, bytes: u64) -> Option<usize> {
        let now = self.began_at.elapsed();
        let mut state = lock(&self.state);
        // Between the end of a part and the next one there is one fewer for a moment.
        let is_full = state.under_way + 1 >= state.limit;
        let limit = state.climb.as_mut()?.sent(bytes, now, is_full)?;
        self.change(&mut state, limit);
        Some(limit)
    }

    /// The other end has too much to do, or the line has. Gives the number of turns when that changes it.
    pub(super) fn crowded(&self) -> Option<usize> {
        let now = self.began_at.elapsed();
        let mut state = lock(&self.state);
        let limit = state.climb.as_mut()?.crowded(now)?;
        self.change(&mut state, limit);
        Some(limit)
    }

    fn change(&self, state: &mut State, limit: usize) {
        if limit >= state.limit {
            let more = limit - state.limit;
            let spared = more.min(state.debt);
            state.debt -= spared;
            self.turns.add_permits(more - spared);
        } else {
            let fewer = state.limit - limit;
            state.debt += fewer - self.turns.forget_permits(fewer);
        }
        state.limit = limit;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.under_way -= 1;
        let Some(permit) = self.permit.take() else { return };
        if state.debt > 0 {
            state.debt -= 1;
            permit.forget();
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_bounded_and_the_bound_moves_while_they_are_out() {
        let pace = Pace::new(Workers::Adaptive);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(pace.turn().await);
        }
        assert!(pace.turn().now_or_never().is_none());
        tokio::time::advance(std::time::Duration::from_secs(5)).await;
        assert_eq!(pace.crowded(), Some(2));
        turns.truncate(2);
        assert!(pace.turn().now_or_never().is_none(), "two were given back and are owed");
        turns.pop();
        turns.push(pace.turn().await);
        let state = lock(&pace.state);
        assert_eq!((state.under_way, state.debt, state.limit), (2, 0, 2));
    }

    #[tokio::test]
    async fn a_fixed_number_stays() {
        let pace = Pace::new(Workers::Fixed(1));
        let turn = pace.turn().await;
        assert_eq!((pace.sent(1 << 40), pace.crowded(), pace.limit()), (None, None, 1));
        assert!(pace.turn().now_or_never().is_none());
        drop(turn);
        pace.turn().await;
    }
}
