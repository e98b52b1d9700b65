//! Where a download goes, and what its files are called while it is on its way.

use std::io;
use std::path::{Path, PathBuf};

use towline_core::digest::hex;

use sha2::{Digest as _, Sha256};

use crate::source::{reason, shown};
use crate::trouble::Trouble;

/// The longest name that file systems take is 255 bytes.
const NAME_BYTES_MAX: usize = 255;

/// A final name and the two beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    /// The file while it is not whole.
    pub(super) partial: PathBuf,
    pub(super) notes: PathBuf,
}

impl Target {
    /// Into a folder, a file goes by the last name of its key; through a symbolic link, to where it leads.
    pub(super) fn resolve(target: &Path, key: &str) -> Result<Self, Trouble> {
        let path = if target.is_dir() { target.join(name_of(key)?) } else { target.to_owned() };
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                Err(Trouble::refused(format!("{} is a folder", shown(&path)))
                    .hint("name the file that it should become"))
            }
            Ok(metadata) if !metadata.is_file() => {
                Err(Trouble::refused(format!("{} is not a regular file", shown(&path)))
                    .hint("`-` writes to standard output, which can lead anywhere"))
            }
            Ok(_) if path.is_symlink() => {
                Self::beside(path.canonicalize().map_err(|error| cannot(&path, &error))?)
            }
            Ok(_) => Self::beside(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::fresh(path),
            Err(error) => Err(cannot(&path, &error)),
        }
    }

    fn fresh(path: PathBuf) -> Result<Self, Trouble> {
        let missing = |folder: &Path| {
            Trouble::refused(format!("there is no folder {}", shown(folder))).hint("make it first")
        };
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(missing(&path));
        }
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => Err(missing(folder)),
            Some(_) | None => Self::beside(path),
        }
    }

    fn beside(path: PathBuf) -> Result<Self, Trouble> {
        let Some(name) = path.file_name() else {
            return Err(Trouble::refused(format!("{} is not the name of a file", shown(&path))));
        };
        let is_short = name.len() + ".".len() + ".towline-notes".len() <= NAME_BYTES_MAX;
        let name = match name.to_str() {
            Some(name) if is_short => name.to_owned(),
            Some(_) | None => hex(&Sha256::digest(name.as_encoded_bytes())[..16]),
        };
        let [partial, notes] = ["towline-get", "towline-notes"]
            .map(|extension| path.with_file_name(format!(".{name}.{extension}")));
        Ok(Self { path, partial, notes })
    }
}

/// The name of a file in a folder. A key comes from outside, and must not lead out of the folder.
fn name_of(key: &str) -> Result<&str, Trouble> {
    let name = key.rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | "..") || name.contains('\0') {
        return Err(Trouble::refused(format!("{} does not end in a file's name", shown(key)))
            .hint("name the file that it should become"));
    }
    Ok(name)
}

/// What it means that a file cannot be written.
pub(super) fn cannot(path: &Path, error: &io::Error) -> Trouble {
    let trouble = Trouble::refused(format!("{}: {}", shown(path), reason(error)));
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return trouble.hint("free some space and run the same command again: what has come is kept");
    }
    trouble
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_takes_the_last_name_of_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::resolve(folder.path(), "videos/a.mp4").unwrap();
        assert_eq!(target.path, folder.path().join("a.mp4"));
        assert_eq!(target.partial, folder.path().join(".a.mp4.towline-get"));
        assert_eq!(target.notes, folder.path().join(".a.mp4.towline-notes"));
        for key in ["videos/", "..", "a/..", ".", "", "a\0"] {
            assert!(Target::resolve(folder.path(), key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        for (target, expected) in [
            (folder.path().to_owned(), "a is a folder"),
            ("/dev/null".into(), "/dev/null is not a regular file"),
            (folder.path().join("b/"), "b/"),
            (folder.path().join("b/c"), "b"),
        ] {
            let text = Target::resolve(&target, "a").unwrap_err().to_string();
            assert!(text.ends_with(expected), "{text}");
        }
    }

    #[test]
    fn a_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("file");
        fs::write(&file, b"old").unwrap();
        symlink(&file, folder.path().join("link")).unwrap();
        assert_eq!(Target::resolve(&folder.path().join("link"), "a").unwrap().path, file);
    }

    #[test]
    fn a_name_of_any_length_has_one_while_it_is_on_its_way() {
        for size in [1, 240, 241, 255] {
            let target = Target::resolve(Path::new(&"n".repeat(size)), "a").unwrap();
            for path in [target.partial, target.notes] {
                assert!(path.file_name().unwrap().len() <= NAME_BYTES_MAX);
            }
        }
    }
}
