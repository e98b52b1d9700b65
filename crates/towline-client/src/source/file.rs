//! A file that is uploaded: read by position, each byte once, and watched for changes.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};
use towline_core::digest::{Algorithm, Computed, Digester};

use super::block::{BLOCK_BYTES, Block};
use super::shown;
use crate::remote::Frames;
use crate::trouble::Trouble;

/// How much is digested between two looks at whether anybody still wants to know.
const DIGEST_STEP_BYTES: u64 = 8 * BLOCK_BYTES as u64;

/// What shows that a file is still the one it was.
///
/// Every write changes the times, but a clock has ticks: before Linux 6.13 they last some milliseconds, and what is
/// written in the tick in which the file was opened is not seen. What was read is digested as it was read in any case:
/// such a change can make an upload of a file that never was, it cannot make one that differs from its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub size_bytes: u64,
    pub modified_ns: i64,
    /// Of its attributes too: a write whose time was set back afterwards is seen here.
    pub changed_ns: i64,
    pub device: u64,
    pub inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        let to_ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            size_bytes: metadata.len(),
            modified_ns: to_ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: to_ns(metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// How a file that was this one differs now; finishes a sentence that begins with its name.
    fn difference(self, now: Self) -> Option<String> {
        if (self.device, self.inode) != (now.device, now.inode) {
            return Some("was replaced by another file while it was read".to_owned());
        }
        if self.size_bytes != now.size_bytes {
            let (before, after) = (self.size_bytes, now.size_bytes);
            return Some(format!("changed while it was read: it had {before} bytes and has {after} now"));
        }
        if self.modified_ns != now.modified_ns {
            return Some("changed while it was read".to_owned());
        }
        (self.changed_ns != now.changed_ns)
            .then(|| "changed while it was read, its attributes at least (name, rights or times)".to_owned())
    }
}

/// An open file, as it was when it was opened. Clones share it.
#[derive(Clone, Debug)]
pub struct FileSource {
    opened: Arc<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: Arc<File>,
    path: PathBuf,
    identity: Identity,
}

impl FileSource {
    /// Opens a regular file, also through symbolic links. Waits for the disk.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let cannot = |error: &io::Error| Trouble::source(format!("{}: {}", shown(path), reason(error)));
        // Looked at before it is opened: opening a pipe would wait for its other end, and a device may act on it.
        check_kind(path, &path.metadata().map_err(|error| cannot(&error))?)?;
        let file = File::open(path).map_err(|error| cannot(&error))?;
        let metadata = file.metadata().map_err(|error| cannot(&error))?;
        check_kind(path, &metadata)?;
        let opened =
            Opened { file: Arc::new(file), path: path.to_owned(), identity: Identity::of(&metadata) };
        Ok(Self { opened: Arc::new(opened) })
    }

    pub fn path(&self) -> &Path {
        &self.opened.path
    }

    pub fn size_bytes(&self) -> u64 {
        self.opened.identity.size_bytes
    }

    /// As it was when it was opened.
    pub fn identity(&self) -> Identity {
        self.opened.identity
    }

    /// The bytes of a range, one frame ahead of who takes them. Nothing is read before the first frame is asked for.
    pub fn frames(&self, offset_bytes: u64, size_bytes: u64) -> Frames {
        let ahead =
            Ahead { file: Arc::clone(&self.opened.file), at: offset_bytes, rest: size_bytes, reading: None };
        let stream = stream::unfold(ahead, |mut ahead| async {
            let frame = ahead.next().await?;
            Some((frame, ahead))
        });
        Frames::new(size_bytes, stream)
    }

    /// Reads and digests a range as fast as memory allows.
    pub async fn digest(
        &self,
        offset_bytes: u64,
        size_bytes: u64,
        algorithm: Option<Algorithm>,
    ) -> Result<Computed, Trouble> {
        let file = Arc::clone(&self.opened.file);
        digest_of(file, offset_bytes..offset_bytes.saturating_add(size_bytes), algorithm)
            .await
            .map_err(|error| self.trouble(&error))
    }

    /// The bytes of a short range.
    pub(crate) async fn read(&self, offset_bytes: u64, size_bytes: u64) -> Result<Bytes, Trouble> {
        let opened = Arc::clone(&self.opened);
        let read =
            async { spawn_blocking(move || Block::read_at(&opened.file, offset_bytes, size_bytes)).await? };
        read.await.map(Block::into_frame).map_err(|error| self.trouble(&error))
    }

    /// What it means that this file cannot be read.
    pub(crate) fn trouble(&self, error: &io::Error) -> Trouble {
        // Of a file that changed, that is what a person wants to know.
        match self.check_unchanged() {
            Err(trouble) => trouble,
            Ok(()) => Trouble::source(format!("{}: {}", shown(self.path()), reason(error))),
        }
    }

    /// Whether the open file and the one that has its name now are both as they were when it was opened.
    pub fn check_unchanged(&self) -> Result<(), Trouble> {
        let opened = &*self.opened;
        let name = shown(opened.path.file_name().map_or(opened.path.as_path(), Path::new));
        let looks = [opened.path.metadata(), opened.file.metadata()];
        for look in looks {
            let difference = match look {
                Ok(metadata) => opened.identity.difference(Identity::of(&metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Some("was moved or removed while it was read".to_owned())
                }
                Err(error) => Some(format!("cannot be looked at any more: {}", reason(&error))),
            };
            if let Some(difference) = difference {
                return Err(Trouble::source(format!("{name} {difference}")));
            }
        }
        Ok(())
    }
}

/// Reads and digests a range of a file. A file that ends before is an error.
pub(crate) async fn digest_of(
    file: Arc<File>,
    range: Range<u64>,
    algorithm: Option<Algorithm>,
) -> io::Result<Computed> {
    let mut digester = Digester::new(algorithm);
    let mut at = range.start;
    while at < range.end {
        let (file, end) = (Arc::clone(&file), range.end.min(at.saturating_add(DIGEST_STEP_BYTES)));
        digester = spawn_blocking(move || digest_step(&file, at..end, digester)).await??;
        at = end;
    }
    Ok(digester.finish())
}

fn digest_step(file: &File, range: Range<u64>, mut digester: Digester) -> io::Result<Digester> {
    let mut at = range.start;
    while at < range.end {
        let block = Block::read_at(file, at, range.end - at)?;
        digester.update(block.as_ref());
        at += block.size_bytes() as u64;
    }
    Ok(digester)
}

/// Reads a range one block ahead.
struct Ahead {
    file: Arc<File>,
    at: u64,
    rest: u64,
    reading: Option<JoinHandle<io::Result<Block>>>,
}

impl Ahead {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.reading.is_none() {
            self.begin();
        }
        let read = self.reading.as_mut()?.await;
        self.reading = None;
        match read.unwrap_or_else(|error| Err(error.into())) {
            Ok(block) => {
                self.begin();
                Some(Ok(block.into_frame()))
            }
            Err(error) => {
                self.rest = 0;
                Some(Err(error))
            }
        }
    }

    fn begin(&mut self) {
        if self.rest == 0 {
            return;
        }
        let (file, at, size_bytes) = (Arc::clone(&self.file), self.at, self.rest.min(BLOCK_BYTES as u64));
        self.reading = Some(spawn_blocking(move || Block::read_at(&file, at, size_bytes)));
        self.at += size_bytes;
        self.rest -= size_bytes;
    }
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), Trouble> {
    if metadata.is_file() {
        return Ok(());
    }
    let kind = if metadata.is_dir() { "is a folder" } else { "is not a regular file" };
    Err(Trouble::source(format!("{} {kind}", shown(path))))
}

/// What the operating system said, in words and without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    const WORDS: [(io::ErrorKind, &str); 6] = [
        (io::ErrorKind::NotFound, "there is no such file or folder"),
        (io::ErrorKind::PermissionDenied, "permission denied"),
        (io::ErrorKind::UnexpectedEof, "it is shorter than it was"),
        (io::ErrorKind::StorageFull, "the disk is full"),
        (io::ErrorKind::QuotaExceeded, "the disk quota is used up"),
        (io::ErrorKind::ReadOnlyFilesystem, "the disk is read-only"),
    ];
    let words = WORDS.iter().find(|(kind, _)| *kind == error.kind());
    words.map_or_else(
        || error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
        |(_, words)| (*words).to_owned(),
    )
}

#[cfg(test)]
mod tests;
