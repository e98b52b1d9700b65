//! The data folder: made when it is not there, and owned by one server at a time.

use std::fs::{self, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use thiserror::Error;
use towline_core::error::Fault;

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "the data folder {data:?} is in use by another server (process {owner}): stop that one first, or give this one \
         a data folder of its own"
    )]
    InUse { data: PathBuf, owner: String },
    #[error("the data folder {data:?} cannot be used: {doing}")]
    Unusable { data: PathBuf, doing: &'static str, source: io::Error },
    #[error(transparent)]
    Failed(#[from] Fault),
}

/// Held for life; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: fs::File,
    /// When it was taken, in nanoseconds since 1970 by the file system's clock.
    pub(super) taken_at: u128,
}

/// A data folder that this process owns, for what lies there when the files themselves go elsewhere.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Lock,
}

impl DataFolder {
    /// Makes the folder where needed, and takes it.
    pub fn take(data: &Path) -> Result<Self, OpenError> {
        let path = make(data)?;
        let lock = Lock::take(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the data folder where needed, and gives its absolute path.
pub(super) fn make(data: &Path) -> Result<PathBuf, OpenError> {
    let unusable = |doing| move |source| OpenError::Unusable { data: data.to_owned(), doing, source };
    let data = std::path::absolute(data).map_err(unusable("finding its absolute path"))?;
    let unmade: Vec<&Path> = data.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(&data).map_err(unusable("making it"))?;
    for parent in unmade.iter().filter_map(|path| path.parent()) {
        fs::File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(unusable("syncing its parent"))?;
    }
    data.canonicalize().map_err(unusable("finding its absolute path"))
}

impl Lock {
    pub(super) fn take(data: &Path) -> Result<Self, OpenError> {
        let unusable = |doing| move |source| OpenError::Unusable { data: data.to_owned(), doing, source };
        let mut file = fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(data.join("lock"))
            .map_err(unusable("opening its lock file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Who it is only helps the reader of the message.
                file.take(20).read_to_string(&mut owner).ok();
                let owner = owner.trim();
                let owner = if owner.is_empty() { "unknown" } else { owner }.to_owned();
                return Err(OpenError::InUse { data: data.to_owned(), owner });
            }
            Err(TryLockError::Error(source)) => return Err(unusable("locking its lock file")(source)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(unusable("writing its lock file"))?;
        let taken_at =
            file.metadata().and_then(|found| found.modified()).map_err(unusable("reading its lock file"))?;
        let taken_at = taken_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Ok(Self { _file: file, taken_at })
    }
}
