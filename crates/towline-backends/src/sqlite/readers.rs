//! A few connections that read beside the writer. Each sees what was committed when its read began.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use towline_core::{Fault, FaultKind};

use super::connection::{fault, open_reader};

#[derive(Debug)]
pub(super) struct Readers {
    pool: Arc<Pool>,
    /// As many as there may be connections.
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Connections are opened when they are first needed.
    pub(super) fn new(path: PathBuf, connections_max: usize) -> Self {
        Self {
            pool: Arc::new(Pool { path, idle: Mutex::default() }),
            turns: Arc::new(Semaphore::new(connections_max.max(1))),
        }
    }

    /// Runs `work` where it is called, for what reads a few pages by an index: handing it to another thread and back
    /// costs more than the read itself.
    pub(super) fn read_here<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        self.pool.run(work).map_err(|error| fault(doing, error))
    }

    /// Runs `work` on a connection of its own, off the runtime's threads.
    pub(super) async fn read<T, W>(&self, doing: &'static str, work: W) -> Result<T, Fault>
    where
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the turns");
        let pool = Arc::clone(&self.pool);
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = pool.run(work);
            drop(turn);
            outcome.map_err(|error| fault(doing, error))
        });
        reading.await.unwrap_or_else(|panic| Err(Fault::new(FaultKind::Internal, doing, panic)))
    }
}

impl Pool {
    /// A connection that meets a panic is not used again.
    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| open_reader(&self.path), Ok)?;
        let outcome = work(&connection);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        outcome
    }
}
