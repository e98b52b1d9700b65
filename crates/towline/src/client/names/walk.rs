//! All files of a folder. Links to files are followed; links to folders are not, for they may lead in circles.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::{File, shown};
use crate::exit::Complaint;

#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) files: Vec<File>,
    pub(super) warnings: Vec<String>,
}

/// In the order of their names. They begin with the folder's own, unless it is written with a slash at its end.
pub(super) fn walk(folder: &Path) -> Result<Walked, Complaint> {
    let text = folder.as_os_str().as_encoded_bytes();
    let is_inside_only = text.ends_with(b"/") || text.ends_with(b"/.");
    let own = folder.file_name().filter(|_| !is_inside_only);
    let mut walked = Walked::default();
    let mut folders = vec![(folder.to_owned(), own.map(OsString::from).unwrap_or_default())];
    while let Some((folder, name)) = folders.pop() {
        let cannot = |error| anyhow!("cannot read the folder {}: {error}", shown(&folder));
        for entry in fs::read_dir(&folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            walked.take(entry.path(), join(&name, &entry.file_name()), &mut folders)?;
        }
    }
    walked.files.sort_by(|a, b| a.name.cmp(&b.name));
    walked.warnings.sort();
    Ok(walked)
}

fn join(folder: &OsStr, name: &OsStr) -> OsString {
    let mut joined = folder.to_owned();
    if !joined.is_empty() {
        joined.push("/");
    }
    joined.push(name);
    joined
}

impl Walked {
    fn take(
        &mut self,
        path: PathBuf,
        name: OsString,
        folders: &mut Vec<(PathBuf, OsString)>,
    ) -> Result<(), Complaint> {
        let is_link = path.is_symlink();
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(_) if is_link => {
                self.skip(&path, "it leads nowhere");
                return Ok(());
            }
            Err(error) => return Err(anyhow!("cannot read {}: {error}", shown(&path)).into()),
        };
        if metadata.is_file() {
            self.files.push(File { path: Some(path), name, size_bytes: Some(metadata.len()) });
        } else if metadata.is_dir() && is_link {
            self.skip(&path, "links to folders are not followed");
        } else if metadata.is_dir() {
            folders.push((path, name));
        } else {
            self.skip(&path, "it is neither a file nor a folder");
        }
        Ok(())
    }

    fn skip(&mut self, path: &Path, why: &str) {
        self.warnings.push(format!("{} is left out: {why}", shown(path)));
    }
}
