//! Which uploads this machine has begun, so that the same command finds them again after anything.
//!
//! One small file for each errand, in a folder that the program chooses. It only leads back to an upload: what has landed
//! is asked of the other end and compared. So a lost journal costs a look-up, and a wrong one nothing.

mod hold;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use towline_core::clock::Timestamp;
use towline_core::digest::hex;

use crate::publish;
use crate::remote::Ticket;
use crate::source::shown;

pub(crate) use hold::{Alone, open_alone};
pub use hold::{Hold, NoHold};

/// How much of an id is enough to mean it.
const PREFIX_MIN: usize = 8;
/// An entry is a few hundred bytes; what is much larger is not ours.
const ENTRY_BYTES_MAX: u64 = 64 * 1024;

/// What is to be done: this file, there, under this key. The same command means the same errand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Errand {
    /// As [`Remote::name`](crate::remote::Remote::name) says it.
    pub remote: String,
    pub key: String,
    /// Absolute; nothing for a stream.
    pub path: Option<PathBuf>,
}

impl Errand {
    /// The name of its file, without an extension.
    fn stem(&self) -> String {
        let path = self.path.as_deref().map(|path| path.as_os_str().as_bytes());
        let mut hash = Sha256::new();
        for field in [self.remote.as_bytes(), self.key.as_bytes(), path.unwrap_or_default()] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hex(&hash.finalize()[..16])
    }
}

/// An upload on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub ticket: Ticket,
    pub errand: Errand,
    /// What the program needs to reach the other end again; never a secret.
    pub place: serde_json::Value,
    pub total_bytes: Option<u64>,
    #[serde(with = "millis")]
    pub begun_at: Timestamp,
}

/// The journal cannot be read or written. An upload goes on without it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Broken {
    pub what: String,
}

impl Broken {
    fn new(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self { what: format!("{doing} {}: {error}", shown(path)) }
    }
}

/// What the journal holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Files that could not be understood; they were left alone.
    pub unreadable: Vec<PathBuf>,
}

/// The journal's folder. All calls wait for the disk, and are short.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// Makes the folder if it is not there. Only its owner can look into it: keys and paths are private.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Broken> {
        let folder = folder.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)))
            .map_err(|error| Broken::new("making the folder", &folder, &error))?;
        Ok(Self { folder })
    }

    /// The upload that was begun for an errand. What cannot be read is as good as not there.
    pub fn find(&self, errand: &Errand) -> Option<Entry> {
        read(&self.path_of(errand)).ok().filter(|entry| entry.errand == *errand)
    }

    /// Takes an errand for this process alone, until the hold is dropped or the process ends in whatever way.
    pub fn hold(&self, errand: &Errand) -> Result<Hold, NoHold> {
        Hold::take(self.folder.join(format!("{}.lock", errand.stem())))
    }

    /// Remembers an upload, instead of what was remembered for its errand. Durable when it returns.
    pub fn write(&self, entry: &Entry) -> Result<(), Broken> {
        let path = self.path_of(&entry.errand);
        let broken = |error: &io::Error| Broken::new("writing", &path, error);
        let text = serde_json::to_vec_pretty(entry).map_err(|error| broken(&error.into()))?;
        let name = format!("{}.json", entry.errand.stem());
        publish::replace(&self.folder, &name, &text).map_err(|error| broken(&error))
    }

    /// Forgets an errand. Again, it is fine.
    pub fn remove(&self, errand: &Errand) -> Result<(), Broken> {
        let path = self.path_of(errand);
        publish::remove(&path).map_err(|error| Broken::new("removing", &path, &error))
    }

    pub fn entries(&self) -> Result<Listing, Broken> {
        let broken = |error: &io::Error| Broken::new("reading the folder", &self.folder, error);
        let mut listing = Listing::default();
        for file in fs::read_dir(&self.folder).map_err(|error| broken(&error))? {
            let path = file.map_err(|error| broken(&error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match read(&path) {
                Ok(entry) => listing.entries.push(entry),
                // It was finished while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => listing.unreadable.push(path),
            }
        }
        listing.unreadable.sort();
        listing.entries.sort_by(|one, other| {
            other.begun_at.cmp(&one.begun_at).then_with(|| one.ticket.id.cmp(&other.ticket.id))
        });
        Ok(listing)
    }

    /// The uploads with this id or, where there is none, those whose ids begin with it: at least 8 characters of them.
    pub fn by_id(&self, id: &str) -> Result<Vec<Entry>, Broken> {
        let mut entries = self.entries()?.entries;
        if entries.iter().any(|entry| entry.ticket.id == id) {
            entries.retain(|entry| entry.ticket.id == id);
        } else {
            entries.retain(|entry| id.chars().count() >= PREFIX_MIN && entry.ticket.id.starts_with(id));
        }
        Ok(entries)
    }

    fn path_of(&self, errand: &Errand) -> PathBuf {
        self.folder.join(format!("{}.json", errand.stem()))
    }
}

fn read(path: &Path) -> io::Result<Entry> {
    let metadata = path.metadata()?;
    if !metadata.is_file() || metadata.len() > ENTRY_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// A moment as milliseconds since 1970.
mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use towline_core::clock::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
    pub(super) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(moment.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests;
