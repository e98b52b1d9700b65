//! Which files are meant, and what they are called at the other end. Everything is known before the first byte is sent:
//! a name that cannot be is told then, not in the middle.

mod walk;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use glob::MatchOptions;
use towline_core::key::Key;

use crate::exit::Complaint;
use crate::output::printable;

/// A file that is to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Nothing is standard input.
    pub(crate) path: Option<PathBuf>,
    pub(crate) key: String,
    pub(crate) size_bytes: Option<u64>,
}

impl Item {
    /// What people call it.
    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| shown(path))
    }
}

/// What was found, and what was left out.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) items: Vec<Item>,
    pub(crate) warnings: Vec<String>,
}

/// How files get their names at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// There is one file, and this is its name.
    Exactly(String),
    /// This stands before the files' own names.
    Below(String),
}

impl Naming {
    /// From what stands behind the bucket and from `--key`.
    pub(crate) fn new(at_place: &str, key: Option<&str>) -> Result<Self, Complaint> {
        if !at_place.is_empty() && !at_place.ends_with('/') && key.is_some() {
            return Err(Complaint::usage("the place names a key already, and --key another one")
                .hint("say it once, or end the place in /"));
        }
        let name = format!("{at_place}{}", key.unwrap_or_default());
        Ok(if name.is_empty() || name.ends_with('/') { Self::Below(name) } else { Self::Exactly(name) })
    }
}

/// Finds the files that are meant by the arguments, with their names, in order.
pub(crate) fn choose(
    arguments: &[OsString],
    naming: &Naming,
    is_recursive: bool,
) -> Result<Chosen, Complaint> {
    let mut found = Found::default();
    for argument in arguments {
        found.take(argument, is_recursive)?;
    }
    if found.files.is_empty() {
        let names: Vec<String> = arguments.iter().map(|argument| shown(Path::new(argument))).collect();
        return Err(anyhow!("there is no file in {}", names.join(", ")).into());
    }
    let mut chosen = Chosen { items: Vec::new(), warnings: found.warnings };
    let is_many = found.files.len() > 1 || found.has_folders;
    for file in found.files {
        chosen.items.push(file.named(naming, is_many)?);
    }
    refuse_twins(&chosen.items)?;
    Ok(chosen)
}

#[derive(Debug, Default)]
struct Found {
    files: Vec<File>,
    warnings: Vec<String>,
    /// One of the arguments is a folder: how many files there are is chance.
    has_folders: bool,
}

#[derive(Debug)]
struct File {
    path: Option<PathBuf>,
    /// What it is called behind a prefix.
    name: OsString,
    size_bytes: Option<u64>,
}

impl Found {
    fn take(&mut self, argument: &OsStr, is_recursive: bool) -> Result<(), Complaint> {
        if argument == "-" {
            if self.files.iter().any(|file| file.path.is_none()) {
                return Err(Complaint::usage("standard input can be read once only"));
            }
            self.files.push(File { path: None, name: OsString::new(), size_bytes: None });
            return Ok(());
        }
        let path = Path::new(argument);
        match fs::metadata(path) {
            Ok(_) => self.take_path(path, is_recursive),
            Err(error) if error.kind() == ErrorKind::NotFound => self.take_pattern(argument, is_recursive),
            Err(error) => Err(anyhow!("cannot read {}: {error}", shown(path)).into()),
        }
    }

    fn take_path(&mut self, path: &Path, is_recursive: bool) -> Result<(), Complaint> {
        let cannot = |error| anyhow!("cannot read {}: {error}", shown(path));
        let metadata = fs::metadata(path).map_err(cannot)?;
        if metadata.is_dir() {
            if !is_recursive {
                let complaint = Complaint::usage(format!("{} is a folder", shown(path)));
                return Err(complaint.hint("-r uploads folders with all that is in them"));
            }
            self.has_folders = true;
            let walked = walk::walk(path)?;
            self.files.extend(walked.files);
            self.warnings.extend(walked.warnings);
            return Ok(());
        }
        if !metadata.is_file() {
            let complaint = anyhow!("{} is neither a file nor a folder", shown(path));
            return Err(Complaint::from(complaint)
                .hint("what a program writes can be piped: program | towline put - --key NAME"));
        }
        let name = path.file_name().unwrap_or_default().to_owned();
        self.files.push(File { path: Some(path.to_owned()), name, size_bytes: Some(metadata.len()) });
        Ok(())
    }

    /// No file has this name: perhaps no shell has expanded it.
    fn take_pattern(&mut self, argument: &OsStr, is_recursive: bool) -> Result<(), Complaint> {
        let name = shown(Path::new(argument));
        let pattern = argument.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else {
            let complaint = Complaint::from(anyhow!("there is no file {name}"));
            return Err(if looks_like_host(argument) {
                complaint.hint(format!("if it is the server, write http://{name}"))
            } else {
                complaint
            });
        };
        // As shells do: `*` means no hidden files.
        let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
        let paths = glob::glob_with(pattern, options)
            .map_err(|error| Complaint::usage(format!("{name} is no pattern: {}", error.msg)))?;
        let before = self.files.len();
        for path in paths {
            let path =
                path.map_err(|error| anyhow!("cannot read {}: {}", shown(error.path()), error.error()))?;
            self.take_path(&path, is_recursive)?;
        }
        if self.files.len() == before {
            return Err(anyhow!("no file matches {name}").into());
        }
        Ok(())
    }
}

impl File {
    fn named(self, naming: &Naming, is_many: bool) -> Result<Item, Complaint> {
        let name = self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| shown(path));
        let key = match naming {
            Naming::Exactly(_) if is_many => {
                return Err(Complaint::usage("several files cannot have one key")
                    .hint("end it in /, and it stands before their own names"));
            }
            Naming::Exactly(key) => key.clone(),
            Naming::Below(_) if self.path.is_none() => {
                return Err(
                    Complaint::usage("standard input has no name").hint("give it one with --key NAME")
                );
            }
            Naming::Below(prefix) => {
                let own = self.name.to_str().ok_or_else(|| {
                    Complaint::from(anyhow!("the name of {name} is not UTF-8"))
                        .hint("upload it alone, and name it with --key")
                })?;
                format!("{prefix}{own}")
            }
        };
        if let Err(problem) = Key::parse(&key) {
            let complaint = anyhow!("{name} cannot be stored as {:?}: {problem}", printable(&key));
            return Err(Complaint::from(complaint).hint("give it another name with --key"));
        }
        Ok(Item { path: self.path, key, size_bytes: self.size_bytes })
    }
}

fn refuse_twins(items: &[Item]) -> Result<(), Complaint> {
    let mut names: HashMap<&str, &Item> = HashMap::new();
    for item in items {
        match names.entry(&item.key) {
            Entry::Vacant(free) => {
                free.insert(item);
            }
            Entry::Occupied(taken) => {
                let (one, other, key) = (taken.get().name(), item.name(), printable(&item.key));
                let complaint =
                    Complaint::usage(format!("{one} and {other} would both be stored as {key:?}"));
                return Err(complaint.hint("upload them one by one, with --key"));
            }
        }
    }
    Ok(())
}

/// `up.example:8000`, as one writes it when one forgets the scheme.
fn looks_like_host(argument: &OsStr) -> bool {
    let host_and_port = argument.to_str().and_then(|text| text.split_once(':'));
    host_and_port.is_some_and(|(host, port)| !host.contains('/') && port.parse::<u16>().is_ok())
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

#[cfg(test)]
mod tests;
