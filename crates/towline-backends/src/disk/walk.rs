//! Walks the finished files in the order of their keys. A folder's name sorts as if it ended with '/', since that is
//! how the keys below it begin.

use std::fs::Metadata;

use towline_core::error::Fault;
use towline_core::key::Key;
use towline_core::store::Listed;

use super::completed::version;
use super::files::Folder;
use super::staging::modified_at;

pub(super) struct Walk<'a> {
    pub(super) prefix: &'a str,
    pub(super) after: &'a str,
    pub(super) limit: usize,
    pub(super) found: Vec<Listed>,
}

impl Walk<'_> {
    /// `path` is the folder's with a '/' at its end, or nothing for the root.
    pub(super) fn folder(&mut self, folder: &Folder, path: &str) -> Result<(), Fault> {
        let mut entries: Vec<(String, Metadata)> = Vec::new();
        folder.for_each_name(|name| {
            if let Some(metadata) = folder.look(name)? {
                let slash = if metadata.is_dir() { "/" } else { "" };
                let below = format!("{path}{name}{slash}");
                if self.is_wanted(&below, metadata.is_dir()) {
                    entries.push((below, metadata));
                }
            }
            Ok(())
        })?;
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (below, metadata) in entries {
            if self.found.len() >= self.limit {
                return Ok(());
            }
            if metadata.is_dir() {
                let name = below[path.len()..].trim_end_matches('/');
                if let Some(next) = folder.folder(name)? {
                    self.folder(&next, &below)?;
                }
            } else if let Ok(key) = Key::parse(&below) {
                let size_bytes = metadata.len();
                let (version, modified_at) = (version(&metadata), modified_at(&metadata));
                self.found.push(Listed { key, size_bytes, version, modified_at });
            }
        }
        Ok(())
    }

    /// Whether it is, or may lead to, something to list.
    fn is_wanted(&self, path: &str, is_folder: bool) -> bool {
        if !is_folder {
            return path.starts_with(self.prefix) && path > self.after;
        }
        let may_match = path.starts_with(self.prefix) || self.prefix.starts_with(path);
        may_match && (path > self.after || self.after.starts_with(path))
    }
}
