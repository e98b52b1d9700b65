//! What a data folder went through, change by change, for `power_loss.rs`. Files and folders are known by what
//! they are, not by their names: a rename does not change what an open file writes to.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::fs::AtFlags;

use super::files::{Change, Folder};

/// A file or folder that is or was.
pub(super) type Node = usize;

/// The data folder itself.
pub(super) const ROOT: Node = 0;

#[derive(Clone, Debug)]
pub(super) enum Deed {
    NewFile { folder: Node, name: String, node: Node },
    NewFolder { folder: Node, name: String, node: Node },
    Link { folder: Node, name: String, node: Node },
    Rename { folder: Node, name: String, into: Node, new_name: String, node: Node },
    Remove { folder: Node, name: String },
    SyncNames { folder: Node },
    Write { file: Node, offset_bytes: u64, bytes: Vec<u8> },
    Resize { file: Node, size_bytes: u64 },
    SyncBytes { file: Node },
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Held while a change is made and noted, so that the order of the notes is that of the changes.
    turn: Mutex<()>,
    state: Mutex<State>,
}

/// The panic that ends a process which is to die in the middle of something.
#[derive(Debug)]
pub(super) struct Died;

#[derive(Debug, Default)]
struct State {
    /// Which node an inode number means now; the system gives numbers of removed files to new ones.
    nodes: HashMap<u64, Node>,
    next: Node,
    deeds: Vec<Deed>,
    dies_at: Option<usize>,
}

impl Journal {
    pub(super) fn of(root: &Folder) -> Arc<Self> {
        let journal = Self::default();
        assert_eq!(journal.state().fresh(inode(root.fd())), ROOT);
        Arc::new(journal)
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        if state.dies_at.is_some_and(|end| state.deeds.len() >= end) {
            std::panic::resume_unwind(Box::new(Died));
        }
        turn
    }

    /// From this many deeds on every change panics with [`Died`], until this is called with nothing.
    pub(super) fn die_at(&self, deeds: Option<usize>) {
        self.state().dies_at = deeds;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many deeds are done: a point in time.
    pub(super) fn len(&self) -> usize {
        self.state().deeds.len()
    }

    pub(super) fn deeds(&self) -> Vec<Deed> {
        self.state().deeds.clone()
    }

    /// Notes a change that was made to the open file or folder `fd`.
    pub(super) fn note_in(&self, fd: impl AsFd, change: &Change<'_>) {
        let mut state = self.state();
        let this = state.nodes[&inode(&fd)];
        let named = |name: &str| {
            rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW).expect("it was just made").st_ino
        };
        let deed = match *change {
            Change::CreateFile { name } => {
                Deed::NewFile { folder: this, name: name.to_owned(), node: state.fresh(named(name)) }
            }
            Change::MakeFolder { name } => {
                Deed::NewFolder { folder: this, name: name.to_owned(), node: state.fresh(named(name)) }
            }
            Change::Link { name, also } => {
                Deed::Link { folder: this, name: also.to_owned(), node: state.nodes[&named(name)] }
            }
            Change::Rename { name, into, new_name } => {
                let moved = rustix::fs::statat(into.fd(), new_name, AtFlags::SYMLINK_NOFOLLOW);
                Deed::Rename {
                    folder: this,
                    name: name.to_owned(),
                    into: state.nodes[&inode(into.fd())],
                    new_name: new_name.to_owned(),
                    node: state.nodes[&moved.expect("it was just moved there").st_ino],
                }
            }
            Change::RemoveFile { name } | Change::RemoveFolder { name } => {
                Deed::Remove { folder: this, name: name.to_owned() }
            }
            Change::SyncNames => Deed::SyncNames { folder: this },
            Change::Write { offset_bytes, frames } => {
                Deed::Write { file: this, offset_bytes, bytes: frames.concat() }
            }
            Change::Copy { offset_bytes, size_bytes } => {
                let bytes = read_back(&fd, offset_bytes, size_bytes);
                Deed::Write { file: this, offset_bytes, bytes: bytes.to_vec() }
            }
            Change::Resize { size_bytes } => Deed::Resize { file: this, size_bytes },
            Change::SyncBytes => Deed::SyncBytes { file: this },
        };
        state.deeds.push(deed);
    }
}

impl State {
    fn fresh(&mut self, inode: u64) -> Node {
        let node = self.next;
        self.next += 1;
        self.nodes.insert(inode, node);
        node
    }
}

fn inode(fd: impl AsFd) -> u64 {
    rustix::fs::fstat(fd).expect("an open file can be looked at").st_ino
}

fn read_back(fd: impl AsFd, offset_bytes: u64, size_bytes: u64) -> Bytes {
    let size = usize::try_from(size_bytes).expect("a test's file is small");
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let at = offset_bytes + bytes.len() as u64;
        let read = rustix::io::pread(&fd, spare_capacity(&mut bytes), at).expect("it was just written");
        assert!(read > 0, "it was just written");
    }
    bytes.truncate(size);
    bytes.into()
}
