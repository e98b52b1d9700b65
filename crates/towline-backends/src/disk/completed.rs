//! The folder of finished files: a key's segments are folders and a file. A file appears here only whole.
//!
//! A folder is in the way of a file even when it is empty, and a symbolic link is in the way of a folder: links
//! are not followed, since what lies behind one may be another file system, or nobody's to write to.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use towline_core::error::Fault;
use towline_core::key::Key;
use towline_core::store::{Listed, Obstacle, SealedObject};

use super::durable::Durable;
use super::files::{File, Folder};
use super::staging::missing;
use super::walk::Walk;

#[derive(Debug)]
pub(super) struct Completed {
    root: Folder,
    path: PathBuf,
    durable: Durable,
}

/// Where a key leads.
enum Way {
    /// Its folder, and what is there under its last segment.
    Open(Folder, Option<Metadata>),
    /// Some of its folders are not there yet.
    Unmade,
    Blocked(Obstacle),
}

impl Completed {
    pub(super) fn new(root: Folder, path: PathBuf) -> Self {
        Self { root, path, durable: Durable::default() }
    }

    /// What is in the way of a file under this key, if anything is.
    pub(super) fn obstacle(&self, key: &Key) -> Result<Option<Obstacle>, Fault> {
        Ok(match self.way(key)? {
            Way::Open(_, Some(found)) if found.is_dir() => {
                Some(Obstacle { name: key.as_str().to_owned(), is_folder: true })
            }
            Way::Open(..) | Way::Unmade => None,
            Way::Blocked(obstacle) => Some(obstacle),
        })
    }

    /// Whether a file is there under this key.
    pub(super) fn has(&self, key: &Key) -> Result<bool, Fault> {
        Ok(matches!(self.way(key)?, Way::Open(_, Some(found)) if !found.is_dir()))
    }

    /// Opens the regular file under this key.
    pub(super) fn open(&self, key: &Key) -> Result<Option<(File, Metadata)>, Fault> {
        let Way::Open(folder, Some(found)) = self.way(key)? else { return Ok(None) };
        if !found.is_file() {
            return Ok(None);
        }
        let Some(file) = folder.file_to_read(key.file_name())? else { return Ok(None) };
        let metadata = file.metadata()?;
        Ok(Some((file, metadata)))
    }

    /// Moves a finished, synced file to its key, in one step and durably.
    pub(super) fn publish(&self, key: &Key, from: &Folder, name: &str) -> Result<(), Fault> {
        let folder = self.make_folders(key)?;
        from.rename(name, &folder, key.file_name())?;
        // A rename does nothing when both names are of one file already, as half a rename may have left them.
        from.remove_file(name)?;
        folder.sync()
    }

    /// Makes durable what is under a key and the way to it.
    pub(super) fn settle(&self, key: &Key) -> Result<(), Fault> {
        self.make_folders(key)?.sync()
    }

    /// Removes the file under a key. Its folders stay: a file that is being published may be on its way there.
    pub(super) fn remove(&self, key: &Key) -> Result<(), Fault> {
        match self.way(key)? {
            Way::Open(folder, Some(found)) if found.is_file() => {
                folder.remove_file(key.file_name())?;
                folder.sync()
            }
            Way::Open(..) | Way::Unmade | Way::Blocked(_) => Ok(()),
        }
    }

    /// Finished files in the order of the bytes of their keys.
    pub(super) fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        let mut walk = Walk { prefix, after, limit, found: Vec::new() };
        walk.folder(&self.root, "")?;
        Ok(walk.found)
    }

    /// What is said of a file that was published under a key.
    pub(super) fn sealed(&self, key: &Key, file: &File) -> Result<SealedObject, Fault> {
        let location = self.path.join(key.as_str()).to_string_lossy().into_owned();
        Ok(SealedObject { location, version: version(&file.metadata()?), tag: None })
    }

    /// The folder of a key's file; the way to it survives power loss.
    fn make_folders(&self, key: &Key) -> Result<Folder, Fault> {
        let mut folder = self.root.clone();
        for (segment, path) in folders_of(key) {
            if folder.make_folder(segment)? {
                self.durable.forget(path);
            }
            self.durable.settle(&folder, path)?;
            folder = folder.folder(segment)?.ok_or_else(|| missing("a folder of finished files"))?;
        }
        Ok(folder)
    }

    fn way(&self, key: &Key) -> Result<Way, Fault> {
        let mut folder = self.root.clone();
        for (segment, path) in folders_of(key) {
            match folder.look(segment)? {
                Some(found) if found.is_dir() => {}
                Some(_) => {
                    return Ok(Way::Blocked(Obstacle { name: path.to_owned(), is_folder: false }));
                }
                None => return Ok(Way::Unmade),
            }
            let Some(next) = folder.folder(segment)? else { return Ok(Way::Unmade) };
            folder = next;
        }
        let found = folder.look(key.file_name())?;
        Ok(Way::Open(folder, found))
    }
}

/// The folders on the way to a key's file: each with its own name and its path below the root.
fn folders_of(key: &Key) -> impl Iterator<Item = (&str, &str)> {
    let text = key.as_str();
    text.match_indices('/').map(move |(end, _)| {
        let path = &text[..end];
        (path.rsplit('/').next().unwrap_or(path), path)
    })
}

/// Another content is another file, or was written at another time.
pub(super) fn version(of: &Metadata) -> String {
    let nanos = i128::from(of.mtime()) * 1_000_000_000 + i128::from(of.mtime_nsec());
    format!("{nanos:x}-{:x}-{:x}", of.size(), of.ino())
}
