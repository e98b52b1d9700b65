//! The one home of changes to a data folder: create, write, sync, link, rename, remove. Everything works on an
//! open folder and one name in it; symbolic links are never followed.
//!
//! What survives power loss: a file's bytes and length after [`File::sync_bytes`], a name after
//! [`Folder::sync`] of the folder that holds it. `power_loss.rs` takes both by their word.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::{Advice, AtFlags, Dir, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use towline_core::error::{Fault, FaultKind};

#[cfg(test)]
use super::journal::Journal;

/// The most buffers that one vectored write takes (`IOV_MAX`).
const BUFFERS_MAX: usize = 1024;

/// One change on its way to the disk; written out when it fails.
pub(super) enum Change<'a> {
    CreateFile {
        name: &'a str,
    },
    MakeFolder {
        name: &'a str,
    },
    Link {
        name: &'a str,
        also: &'a str,
    },
    Rename {
        name: &'a str,
        new_name: &'a str,
        #[cfg(test)]
        into: &'a Folder,
    },
    RemoveFile {
        name: &'a str,
    },
    RemoveFolder {
        name: &'a str,
    },
    SyncNames,
    Write {
        offset_bytes: u64,
        frames: &'a [Bytes],
    },
    Copy {
        offset_bytes: u64,
        size_bytes: u64,
    },
    Resize {
        size_bytes: u64,
    },
    SyncBytes,
}

impl fmt::Display for Change<'_> {
    /// Finishes "fault while …". Names are quoted: a key comes from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateFile { name } => write!(f, "creating the file {name:?}"),
            Self::MakeFolder { name } => write!(f, "making the folder {name:?}"),
            Self::Link { name, also } => write!(f, "linking {name:?} as {also:?}"),
            Self::Rename { name, new_name, .. } => write!(f, "renaming {name:?} to {new_name:?}"),
            Self::RemoveFile { name } => write!(f, "removing the file {name:?}"),
            Self::RemoveFolder { name } => write!(f, "removing the folder {name:?}"),
            Self::SyncNames => f.write_str("syncing a folder"),
            Self::Write { offset_bytes, frames } => {
                write!(f, "writing {} bytes at offset {offset_bytes}", size_of_frames(frames))
            }
            Self::Copy { size_bytes, offset_bytes } => {
                write!(f, "copying {size_bytes} bytes to offset {offset_bytes}")
            }
            Self::Resize { size_bytes } => write!(f, "setting the size of a file to {size_bytes} bytes"),
            Self::SyncBytes => f.write_str("syncing a file"),
        }
    }
}

fn size_of_frames(frames: &[Bytes]) -> u64 {
    frames.iter().map(|frame| frame.len() as u64).sum()
}

/// A fault for what the operating system said.
pub(super) fn fault(doing: impl fmt::Display, error: impl Into<io::Error>) -> Fault {
    let error = error.into();
    let kind = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => FaultKind::Full,
        Some(
            Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::AGAIN
            | Errno::BUSY
            | Errno::TIMEDOUT
            | Errno::STALE
            | Errno::ROFS,
        ) => FaultKind::Unavailable,
        Some(Errno::IO) => FaultKind::Corrupt,
        _ => FaultKind::Internal,
    };
    Fault::new(kind, doing.to_string(), error)
}

/// An open folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    fd: Arc<OwnedFd>,
    #[cfg(test)]
    journal: Option<Arc<Journal>>,
}

impl Folder {
    /// Opens the folder that everything else is reached from.
    pub(super) fn root(path: &Path) -> Result<Self, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| fault("opening the data folder", error))?;
        Ok(Self {
            fd: Arc::new(fd),
            #[cfg(test)]
            journal: None,
        })
    }

    /// The same folder, with a journal of every change in and below it.
    #[cfg(test)]
    pub(super) fn watched_by(mut self, journal: &Arc<Journal>) -> Self {
        self.journal = Some(Arc::clone(journal));
        self
    }

    /// What bears a name, if anything does.
    pub(super) fn look(&self, name: &str) -> Result<Option<Metadata>, Fault> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&*self.fd, name, flags, Mode::empty()) {
            Ok(fd) => std::fs::File::from(fd).metadata().map(Some).map_err(|e| fault("looking at a file", e)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(fault(format_args!("looking for {name:?}"), error)),
        }
    }

    /// Opens a folder in this one; nothing when it is not there.
    pub(super) fn folder(&self, name: &str) -> Result<Option<Self>, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&*self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self {
                fd: Arc::new(fd),
                #[cfg(test)]
                journal: self.journal.clone(),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(fault(format_args!("opening the folder {name:?}"), error)),
        }
    }

    /// Opens a file in this folder to read and write; nothing when it is not there.
    pub(super) fn file(&self, name: &str) -> Result<Option<File>, Fault> {
        self.open_file(name, OFlags::RDWR)
    }

    /// Opens a file in this folder to read; nothing when it is not there.
    pub(super) fn file_to_read(&self, name: &str) -> Result<Option<File>, Fault> {
        self.open_file(name, OFlags::RDONLY)
    }

    fn open_file(&self, name: &str, access: OFlags) -> Result<Option<File>, Fault> {
        // A pipe that somebody put there must not block us; it has no meaning for a regular file.
        match self.open_at(name, access | OFlags::NONBLOCK) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(fault(format_args!("opening {name:?}"), error)),
        }
    }

    fn open_at(&self, name: &str, flags: OFlags) -> rustix::io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*self.fd, name, flags, Mode::from_raw_mode(0o666))?;
        Ok(File {
            inner: fd.into(),
            #[cfg(test)]
            journal: self.journal.clone(),
        })
    }

    /// Creates a file; nothing when the name is taken.
    pub(super) fn create_file(&self, name: &str) -> Result<Option<File>, Fault> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.change(&Change::CreateFile { name }, &[Errno::EXIST], |_| self.open_at(name, flags))
    }

    /// Makes a folder; false when the name is taken.
    pub(super) fn make_folder(&self, name: &str) -> Result<bool, Fault> {
        self.change(&Change::MakeFolder { name }, &[Errno::EXIST], |fd| {
            rustix::fs::mkdirat(fd, name, Mode::from_raw_mode(0o777))
        })
        .map(|made| made.is_some())
    }

    /// Gives a file a second name.
    pub(super) fn link(&self, name: &str, also: &str) -> Result<(), Fault> {
        self.change(&Change::Link { name, also }, &[], |fd| {
            rustix::fs::linkat(fd, name, fd, also, AtFlags::empty())
        })
        .map(drop)
    }

    /// Moves a file, in one step and over whatever file has the new name.
    pub(super) fn rename(&self, name: &str, into: &Self, new_name: &str) -> Result<(), Fault> {
        let change = Change::Rename {
            name,
            new_name,
            #[cfg(test)]
            into,
        };
        self.change(&change, &[], |fd| rustix::fs::renameat(fd, name, &*into.fd, new_name)).map(drop)
    }

    /// Removes a file's name, if it is there.
    pub(super) fn remove_file(&self, name: &str) -> Result<(), Fault> {
        self.change(&Change::RemoveFile { name }, &[Errno::NOENT], |fd| {
            rustix::fs::unlinkat(fd, name, AtFlags::empty())
        })
        .map(drop)
    }

    /// Removes a folder; false when something is in it.
    pub(super) fn remove_folder(&self, name: &str) -> Result<bool, Fault> {
        self.change(&Change::RemoveFolder { name }, &[Errno::NOTEMPTY, Errno::EXIST], |fd| {
            match rustix::fs::unlinkat(fd, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOENT) => Ok(()),
                other => other,
            }
        })
        .map(|removed| removed.is_some())
    }

    /// Makes the names in this folder durable.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        self.change(&Change::SyncNames, &[], |fd| rustix::fs::fsync(fd)).map(drop)
    }

    /// Calls `each` for every name in this folder that is UTF-8, in no order.
    pub(super) fn for_each_name(&self, mut each: impl FnMut(&str) -> Result<(), Fault>) -> Result<(), Fault> {
        let reading = |error| fault("reading a folder", error);
        for entry in Dir::read_from(&*self.fd).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => each(name)?,
            }
        }
        Ok(())
    }

    /// Nothing when the operating system's answer is among the `expected` ones.
    fn change<T>(
        &self,
        what: &Change<'_>,
        expected: &[Errno],
        act: impl FnOnce(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<Option<T>, Fault> {
        #[cfg(test)]
        let _turn = self.journal.as_ref().map(|journal| journal.turn());
        match act(&self.fd) {
            Ok(value) => {
                #[cfg(test)]
                if let Some(journal) = &self.journal {
                    journal.note_in(&self.fd, what);
                }
                Ok(Some(value))
            }
            Err(error) if expected.contains(&error) => Ok(None),
            Err(error) => Err(fault(what, error)),
        }
    }

    #[cfg(test)]
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// An open file. Positions are given with every call, so that it can be shared.
#[derive(Debug)]
pub(super) struct File {
    inner: std::fs::File,
    #[cfg(test)]
    journal: Option<Arc<Journal>>,
}

impl File {
    pub(super) fn metadata(&self) -> Result<Metadata, Fault> {
        self.inner.metadata().map_err(|error| fault("looking at a file", error))
    }

    /// Writes all frames, one after the other.
    pub(super) fn write(&self, offset_bytes: u64, frames: &[Bytes]) -> Result<(), Fault> {
        self.change(&Change::Write { offset_bytes, frames }, |file| {
            let mut slices: Vec<IoSlice<'_>> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
            let mut rest = &mut slices[..];
            let mut at = offset_bytes;
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                let some = &rest[..rest.len().min(BUFFERS_MAX)];
                match rustix::io::pwritev(file, some, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        at += written as u64;
                        IoSlice::advance_slices(&mut rest, written);
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        })
    }

    /// Asks the system to begin with what a sync of these bytes would wait for.
    pub(super) fn begin_write_out(&self, bytes: Range<u64>) {
        let Some(size_bytes) = NonZeroU64::new(bytes.end.saturating_sub(bytes.start)) else { return };
        // Of all advices this one starts writing at once. Nothing depends on its being taken.
        rustix::fs::fadvise(&self.inner, bytes.start, Some(size_bytes), Advice::DontNeed).ok();
    }

    /// Copies from another file without the bytes passing through this process; shares them where the file
    /// system can. The source must be long enough.
    pub(super) fn copy(
        &self,
        source: &Self,
        from_bytes: u64,
        offset_bytes: u64,
        size_bytes: u64,
    ) -> Result<(), Fault> {
        self.change(&Change::Copy { offset_bytes, size_bytes }, |file| {
            let (mut from, mut to) = (from_bytes, offset_bytes);
            let end = from_bytes + size_bytes;
            while from < end {
                let some = usize::try_from(end - from).unwrap_or(usize::MAX).min(1 << 30);
                match rustix::fs::copy_file_range(&source.inner, Some(&mut from), file, Some(&mut to), some) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        })
    }

    /// Whether any of the first bytes were never written, as far as the file system can tell.
    pub(super) fn has_hole_within(&self, size_bytes: u64) -> Result<bool, Fault> {
        match rustix::fs::seek(&self.inner, SeekFrom::Hole(0)) {
            Ok(hole) => Ok(hole < size_bytes),
            // Nothing is there, or the file system does not know.
            Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(fault("looking for holes in a staging file", error)),
        }
    }

    pub(super) fn resize(&self, size_bytes: u64) -> Result<(), Fault> {
        self.change(&Change::Resize { size_bytes }, |file| file.set_len(size_bytes))
    }

    /// Makes the bytes and the length durable. The times are not: see [`File::sync_all`].
    pub(super) fn sync_bytes(&self) -> Result<(), Fault> {
        self.change(&Change::SyncBytes, std::fs::File::sync_data)
    }

    /// As [`File::sync_bytes`], and the times too.
    pub(super) fn sync_all(&self) -> Result<(), Fault> {
        self.change(&Change::SyncBytes, std::fs::File::sync_all)
    }

    /// Reads exactly `size_bytes`; less is a fault, since nobody asks for what is not there.
    pub(super) fn read(&self, offset_bytes: u64, size_bytes: usize) -> Result<Bytes, Fault> {
        let mut buffer = Vec::with_capacity(size_bytes);
        while buffer.len() < size_bytes {
            let at = offset_bytes + buffer.len() as u64;
            match rustix::io::pread(&self.inner, spare_capacity(&mut buffer), at) {
                Ok(0) => {
                    let short = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(Fault::new(FaultKind::Corrupt, "reading a file that is too short", short));
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(fault("reading a file", error)),
            }
        }
        buffer.truncate(size_bytes);
        Ok(buffer.into())
    }

    fn change(
        &self,
        what: &Change<'_>,
        act: impl FnOnce(&std::fs::File) -> io::Result<()>,
    ) -> Result<(), Fault> {
        #[cfg(test)]
        let _turn = self.journal.as_ref().map(|journal| journal.turn());
        act(&self.inner).map_err(|error| fault(what, error))?;
        #[cfg(test)]
        if let Some(journal) = &self.journal {
            journal.note_in(&self.inner, what);
        }
        Ok(())
    }
}
