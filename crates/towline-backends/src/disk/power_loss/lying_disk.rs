//! The disk that keeps its word and nothing more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::disk::journal::{Deed, Node, ROOT};

/// How much of what was not synced is there nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    None,
    /// As after a crash of the process alone.
    All,
    Any,
}

#[derive(Default)]
struct Disk {
    files: HashMap<Node, File>,
    folders: HashMap<Node, Folder>,
    /// For each rename, by its number: the folder that got the name.
    renames: Vec<Node>,
}

/// What is durable of a file and what came after.
#[derive(Default)]
struct File {
    durable: Vec<u8>,
    since: Vec<Edit>,
}

#[derive(Default)]
struct Folder {
    durable: BTreeMap<String, Node>,
    since: Vec<Naming>,
}

#[derive(Clone)]
enum Edit {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Clone)]
struct Naming {
    name: String,
    /// Nothing: the name is taken away.
    node: Option<Node>,
    /// The two halves of a rename belong together: the old name does not go before the new one is there.
    rename: Option<usize>,
}

/// Builds in `path` what is left of a data folder.
pub(super) fn leave(deeds: &[Deed], luck: Luck, rng: &mut Rng, path: &Path) {
    let mut disk = Disk::default();
    disk.folders.entry(ROOT).or_default();
    for deed in deeds {
        disk.go_on(deed.clone());
    }
    if luck != Luck::None {
        disk.keep_more(luck, rng);
    }
    let mut built = HashMap::new();
    disk.build(ROOT, path, &mut built);
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a test's file is small")
}

impl Disk {
    fn go_on(&mut self, deed: Deed) {
        match deed {
            Deed::NewFile { folder, name, node } => {
                self.files.entry(node).or_default();
                self.name(folder, name, Some(node), None);
            }
            Deed::NewFolder { folder, name, node } => {
                self.folders.entry(node).or_default();
                self.name(folder, name, Some(node), None);
            }
            Deed::Link { folder, name, node } => self.name(folder, name, Some(node), None),
            Deed::Rename { folder, name, into, new_name, node } => {
                let number = self.renames.len();
                self.renames.push(into);
                self.name(into, new_name, Some(node), Some(number));
                self.name(folder, name, None, Some(number));
            }
            Deed::Remove { folder, name } => self.name(folder, name, None, None),
            Deed::SyncNames { folder } => self.sync_names(folder),
            Deed::Write { file, offset_bytes, bytes } => {
                self.file(file).since.push(Edit::Write { offset: index(offset_bytes), bytes });
            }
            Deed::Resize { file, size_bytes } => self.file(file).since.push(Edit::Resize(index(size_bytes))),
            Deed::SyncBytes { file } => {
                let file = self.file(file);
                for edit in file.since.drain(..) {
                    edit.apply(&mut file.durable);
                }
            }
        }
    }

    fn file(&mut self, node: Node) -> &mut File {
        self.files.get_mut(&node).expect("it was created")
    }

    fn folder(&mut self, node: Node) -> &mut Folder {
        self.folders.get_mut(&node).expect("it was made")
    }

    fn name(&mut self, folder: Node, name: String, node: Option<Node>, rename: Option<usize>) {
        self.folder(folder).since.push(Naming { name, node, rename });
    }

    fn sync_names(&mut self, folder: Node) {
        for naming in std::mem::take(&mut self.folder(folder).since) {
            self.keep_name(folder, &naming);
        }
    }

    fn keep_name(&mut self, folder: Node, naming: &Naming) {
        if let (None, Some(number)) = (naming.node, naming.rename) {
            let into = self.renames[number];
            let since = &mut self.folder(into).since;
            let other_half =
                since.iter().position(|other| other.rename == Some(number) && other.node.is_some());
            if let Some(at) = other_half {
                let other_half = since.remove(at);
                self.keep_name(into, &other_half);
            }
        }
        let names = &mut self.folder(folder).durable;
        match naming.node {
            Some(node) => names.insert(naming.name.clone(), node),
            None => names.remove(&naming.name),
        };
    }

    fn keep_more(&mut self, luck: Luck, rng: &mut Rng) {
        let mut files: Vec<Node> = self.files.keys().copied().collect();
        files.sort_unstable();
        for node in files {
            let file = self.file(node);
            for mut edit in file.since.drain(..) {
                if luck == Luck::Any && rng.bool() {
                    continue;
                }
                if let (Luck::Any, Edit::Write { bytes, .. }) = (luck, &mut edit) {
                    bytes.truncate(rng.usize(0..=bytes.len()));
                }
                edit.apply(&mut file.durable);
            }
        }
        let mut folders: Vec<Node> = self.folders.keys().copied().collect();
        folders.sort_unstable();
        let mut skipped = HashSet::new();
        for node in folders {
            // One by one: a rename may take names out of another folder's list.
            while !self.folder(node).since.is_empty() {
                let naming = self.folder(node).since.remove(0);
                // A skipped new name keeps its old one.
                let is_torn = naming.rename.is_some_and(|number| skipped.contains(&number));
                if is_torn || (luck == Luck::Any && rng.bool()) {
                    skipped.extend(naming.rename.filter(|_| naming.node.is_some()));
                } else {
                    self.keep_name(node, &naming);
                }
            }
        }
    }

    fn build(&self, folder: Node, path: &Path, built: &mut HashMap<Node, PathBuf>) {
        for (name, node) in &self.folders[&folder].durable {
            let path = path.join(name);
            if let Some(file) = self.files.get(node) {
                match built.get(node) {
                    Some(same) => rustix::fs::link(same, &path).unwrap(),
                    None => fs::write(&path, &file.durable).unwrap(),
                }
                built.insert(*node, path);
            } else {
                fs::create_dir(&path).unwrap();
                self.build(*node, &path, built);
            }
        }
    }
}

impl Edit {
    fn apply(self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if to.len() < end && !bytes.is_empty() {
                    to.resize(end, 0);
                }
                if !bytes.is_empty() {
                    to[offset..end].copy_from_slice(&bytes);
                }
            }
            Self::Resize(size) => to.resize(size, 0),
        }
    }
}
