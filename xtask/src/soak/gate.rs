//! Where clients wait while there is no server, and where the conductor waits until they all do.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::bail;

#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Where the server is, while there is one.
    address: Option<SocketAddr>,
    /// Clients that are not at the gate.
    under_way: usize,
    is_ending: bool,
    is_given_up: bool,
}

impl Gate {
    pub(super) fn closed(clients: usize) -> Self {
        let state = State { address: None, under_way: clients, is_ending: false, is_given_up: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Lets the clients through to a server.
    pub(super) fn open(&self, address: SocketAddr) {
        self.lock().address = Some(address);
        self.changed.notify_all();
    }

    /// Before the server is killed, so that nobody takes the kill for a fault.
    pub(super) fn close(&self) {
        self.lock().address = None;
    }

    /// Waits until no client does anything.
    pub(super) fn wait_for_all(&self) {
        let idle = self.changed.wait_while(self.lock(), |state| state.under_way > 0);
        drop(idle.unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks the clients to begin nothing new.
    pub(super) fn end(&self) {
        self.lock().is_ending = true;
    }

    pub(super) fn is_ending(&self) -> bool {
        self.lock().is_ending
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().address.is_some()
    }

    /// There will be no server any more.
    pub(super) fn give_up(&self) {
        self.lock().is_given_up = true;
        self.changed.notify_all();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.lock().is_given_up
    }

    /// A client's way through: waits for a server.
    pub(super) fn pass(&self) -> anyhow::Result<SocketAddr> {
        let mut state = self.lock();
        state.under_way -= 1;
        self.changed.notify_all();
        loop {
            if let Some(address) = state.address {
                state.under_way += 1;
                return Ok(address);
            }
            if state.is_given_up {
                state.under_way += 1;
                bail!("the soak was given up");
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A client's last word.
    pub(super) fn leave(&self) {
        self.lock().under_way -= 1;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A client that panicked has been heard elsewhere; the others' state is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
