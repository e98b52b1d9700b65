//! One process at a time drives an errand. The kernel keeps the lock, so that no kind of end leaves it behind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;

use super::Broken;

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

/// A file that was opened to be written by one process only.
#[derive(Debug)]
pub(crate) enum Alone {
    /// By this one, until it is closed.
    Ours(File),
    /// By another one, at this moment.
    Theirs(File),
}

/// Opens or creates a file, and locks it. Symbolic links are not followed: in a folder for everybody, such as that for
/// temporary files, they could be anybody's.
pub(crate) fn open_alone(path: &Path, mode: u32) -> io::Result<Alone> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .mode(mode)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    loop {
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Alone::Theirs(file)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it before may have moved or removed it between our opening and our lock: then the lock is on a file
        // that nobody else will find.
        let held = file.metadata()?;
        match path.symlink_metadata() {
            Ok(found) if (found.dev(), found.ino()) == (held.dev(), held.ino()) => {
                return Ok(Alone::Ours(file));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
}

impl Hold {
    pub(super) fn take(path: PathBuf) -> Result<Self, NoHold> {
        match open_alone(&path, 0o600) {
            Ok(Alone::Ours(mut file)) => {
                // Only for the message to others: nothing depends on it.
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).ok();
                Ok(Self { path, _file: file })
            }
            Ok(Alone::Theirs(file)) => Err(NoHold::Busy { pid: pid_in(file) }),
            Err(error) => Err(NoHold::Broken(Broken::new("locking", &path, &error))),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // While the lock still holds, so that nobody else's file can be meant. One that stays behind, or comes back after
        // power loss, does no harm.
        fs::remove_file(&self.path).ok();
    }
}

fn pid_in(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
