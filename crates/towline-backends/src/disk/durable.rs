//! Remembers which names are known to survive power loss, so that a folder is synced once per new name and not
//! once per part. Forgetting costs a sync, never a byte; a restart forgets all.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use towline_core::error::Fault;

use super::files::Folder;

const NAMES_MAX: usize = 8192;

#[derive(Debug, Default)]
pub(super) struct Durable(Mutex<HashSet<String>>);

impl Durable {
    /// Syncs the folder unless its entry `path` is known to be durable. `path` is unique among all that are
    /// asked for here.
    pub(super) fn settle(&self, folder: &Folder, path: &str) -> Result<(), Fault> {
        if self.names().contains(path) {
            return Ok(());
        }
        folder.sync()?;
        let mut names = self.names();
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(path.to_owned());
        Ok(())
    }

    /// The name was given anew: what was known of it does not hold any more.
    pub(super) fn forget(&self, path: &str) {
        self.names().remove(path);
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
