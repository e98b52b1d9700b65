//! One process at a time drives an errand. The kernel keeps the lock, so that no kind of end leaves it behind.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use thiserror::Error;

use super::Broken;
use crate::publish;

/// An errand is ours while this lives.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    /// The lock is the open file's, and goes with it.
    _file: File,
}

/// Why an errand could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoHold {
    /// Another process drives it; which one, as far as it has said so.
    #[error("another process is at it already{}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Busy { pid: Option<u32> },
    #[error(transparent)]
    Broken(Broken),
}

impl Hold {
    pub(crate) fn take(path: PathBuf) -> Result<Self, NoHold> {
        let broken = |error: &io::Error| NoHold::Broken(Broken::new("locking", &path, error));
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(|error| broken(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(NoHold::Busy { pid: pid_in(&mut file) }),
                Err(TryLockError::Error(error)) => return Err(broken(&error)),
            }
            // Whoever held it before may have removed the name between our opening and our lock: then the lock is on a
            // file that nobody else will find.
            let is_same = |found: &std::fs::Metadata, held: &std::fs::Metadata| {
                (found.dev(), found.ino()) == (held.dev(), held.ino())
            };
            let held = file.metadata().map_err(|error| broken(&error))?;
            if path.metadata().is_ok_and(|found| is_same(&found, &held)) {
                // Only for the message to others: nothing depends on it.
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).ok();
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // While the lock still holds, so that nobody else's file can be meant. A file that stays behind does no harm.
        publish::remove(&self.path).ok();
    }
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
