//! The disk store: parts gather in `DATA/staging/<upload id>/`, finished files appear under their key as plain
//! files in `DATA/completed/`. Both lie on one file system, so that finishing is a rename and not a copy.
//!
//! What may change a data folder lives in `files.rs`; what a key may lead to, in `completed.rs`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use towline_core::clock::Timestamp;
use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::store::{
    ByteStream, Holder, Limits, Listed, Mark, Object, Opened, PartPlace, PartWriter, Place, Seal, Spot, Store,
};
use towline_core::upload::{About, Part, Tail, UploadId};

use self::completed::Completed;
use self::data_folder::Lock;
use self::files::Folder;
use self::reader::DiskReader;
use self::staging::Staging;
use self::writer::{DiskWriter, Pace};

mod assembly;
mod completed;
mod data_folder;
mod durable;
mod files;
#[cfg(test)]
mod journal;
mod position;
#[cfg(test)]
mod power_loss;
mod reader;
mod seal;
mod staging;
mod walk;
mod writer;

pub use self::data_folder::{DataFolder, OpenError};

const GIB: u64 = 1024 * 1024 * 1024;
/// The largest file of ext4 with its usual block size.
const TOTAL_BYTES_MAX: u64 = 16 * 1024 * GIB - 4096;
/// The longest name on the usual file systems.
const SEGMENT_BYTES_MAX: usize = 255;

/// What a disk store is made of.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// The data folder; it is made when it is not there.
    pub data: PathBuf,
    /// Whether a part that has landed survives power loss. Without it a crash of the machine may leave parts
    /// that are recorded and hold zeros; a crash of the server alone never does. Sealing always syncs.
    pub sync: bool,
}

/// Keeps bytes in a folder. Owns the folder for as long as it lives.
#[derive(Clone)]
pub struct DiskStore(Arc<Disk>);

struct Disk {
    staging: Staging,
    completed: Completed,
    sync: bool,
    pace: Pace,
    data: PathBuf,
    _lock: Lock,
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("data", &self.0.data).field("sync", &self.0.sync).finish()
    }
}

impl DiskStore {
    pub fn open(settings: &DiskSettings) -> Result<Self, OpenError> {
        Self::open_with(settings, |root| root)
    }

    /// The data folder as an absolute path.
    pub fn data(&self) -> &Path {
        &self.0.data
    }

    fn open_with(settings: &DiskSettings, prepare: impl FnOnce(Folder) -> Folder) -> Result<Self, OpenError> {
        let data = data_folder::make(&settings.data)?;
        let lock = Lock::take(&data)?;
        let root = prepare(Folder::root(&data)?);
        let folder = |name| {
            root.make_folder(name)?;
            root.folder(name)?.ok_or_else(|| staging::missing("the data folder"))
        };
        let (staging, completed) = (folder("staging")?, folder("completed")?);
        root.sync()?;
        Ok(Self(Arc::new(Disk {
            staging: Staging::new(staging, lock.taken_at),
            completed: Completed::new(completed, data.join("completed")),
            sync: settings.sync,
            pace: Pace::default(),
            data,
            _lock: lock,
        })))
    }

    /// Works with the disk on a thread that may wait for it.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let disk = Arc::clone(&self.0);
        blocking(move || work(&disk)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Fault::new(FaultKind::Unavailable, "working with the disk", error)),
        },
    }
}

#[async_trait]
impl Store for DiskStore {
    fn limits(&self) -> Limits {
        Limits {
            part_bytes_min: 1,
            part_bytes_max: 5 * GIB,
            parts_max: 100_000,
            total_bytes_max: TOTAL_BYTES_MAX,
            segment_bytes_max: Some(SEGMENT_BYTES_MAX),
        }
    }

    async fn open(&self, id: UploadId, key: &Key, _about: &About) -> Result<Opened, Fault> {
        let key = key.clone();
        self.with(move |disk| {
            if let Some(obstacle) = disk.completed.obstacle(&key)? {
                return Ok(Opened::Blocked(obstacle));
            }
            let place = Place(id.to_string());
            disk.staging.folder(&place)?;
            Ok(Opened::At(place))
        })
        .await
    }

    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        let PartPlace { place, slot, size_bytes, is_begun, lease } = at;
        let (disk, place) = (Arc::clone(&self.0), place.clone());
        blocking(move || {
            if is_begun {
                disk.staging.expect(&place)?;
            }
            let opening = disk.staging.open_part(&place, slot, size_bytes, spot)?;
            let writer: Box<dyn PartWriter> = Box::new(DiskWriter::new(disk, place, opening, None, lease));
            Ok(writer)
        })
        .await
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        let PartPlace { place, slot, size_bytes: _, is_begun: _, lease } = at;
        let (disk, place, tail) = (Arc::clone(&self.0), place.clone(), tail.clone());
        blocking(move || {
            let opening = disk.staging.reopen(&place, slot, &tail.mark)?;
            let writer: Box<dyn PartWriter> =
                Box::new(DiskWriter::new(disk, place, opening, Some(tail.size_bytes), lease));
            Ok(writer)
        })
        .await
    }

    async fn drop_part(&self, place: &Place, _number: u32, mark: &Mark) -> Result<(), Fault> {
        let (place, mark) = (place.clone(), mark.clone());
        self.with(move |disk| disk.staging.drop_part(&place, &mark)).await
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        let (place, parts) = (place.clone(), parts.to_vec());
        self.with(move |disk| {
            let folder = disk.staging.folder(&place)?;
            if seal::is_sealed(&folder, &parts)? {
                return Ok(None);
            }
            reader::read_parts(folder, &parts).map(Some)
        })
        .await
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        let (place, key, parts) = (place.clone(), key.clone(), parts.to_vec());
        self.with(move |disk| seal::seal(&disk.staging, &disk.completed, &place, &key, &parts)).await
    }

    async fn is_sealed(&self, place: &Place, _key: &Key, parts: &[Part]) -> Result<bool, Fault> {
        let (place, parts) = (place.clone(), parts.to_vec());
        self.with(move |disk| seal::is_sealed(&disk.staging.folder(&place)?, &parts)).await
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        let place = place.clone();
        self.with(move |disk| disk.staging.discard(&place)).await
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        let after = after.cloned();
        self.with(move |disk| disk.staging.survey(before, after.as_ref(), limit)).await
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        let key = key.clone();
        self.with(move |disk| disk.completed.has(&key)).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        let key = key.clone();
        let found = self.with(move |disk| disk.completed.open(&key)).await?;
        Ok(found.map(|(file, metadata)| Object {
            size_bytes: metadata.len(),
            version: completed::version(&metadata),
            modified_at: staging::modified_at(&metadata),
            reader: Box::new(DiskReader(Arc::new(file))),
        }))
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        self.with(move |disk| disk.completed.list(&prefix, &after, limit)).await
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        let key = key.clone();
        self.with(move |disk| disk.completed.remove(&key)).await
    }

    async fn check(&self) -> Result<(), Fault> {
        self.with(|disk| disk.staging.check()).await
    }
}
