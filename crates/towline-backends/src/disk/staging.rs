//! The staging folder: one folder per upload, named by its id, where parts gather.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use towline_core::clock::Timestamp;
use towline_core::error::{Fault, FaultKind};
use towline_core::plan::Slot;
use towline_core::store::{Holder, Mark, Place, Spot};
use towline_core::upload::UploadId;

use super::durable::Durable;
use super::files::{File, Folder};
use super::position::{self, OBJECT, Position};

/// Guesses are kept for this many uploads; a forgotten one is made again from the next part.
const GRIDS_MAX: usize = 4096;
/// No part is placed behind this offset on a guess: ext4's files end at 16 TiB.
const GRID_END_MAX: u64 = super::TOTAL_BYTES_MAX;

#[derive(Debug)]
pub(super) struct Staging {
    root: Folder,
    durable: Durable,
    /// The size by which an upload's free plan is placed. The file is named by it, so that nothing has to be
    /// agreed on with an earlier process: another guess is another file.
    grids: Mutex<HashMap<String, u64>>,
    /// When this process took the data folder; with a count it names files that never were before.
    started: u128,
    count: AtomicU64,
}

/// A file that takes one part, opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) folder: Folder,
    pub(super) file: File,
    pub(super) position: Position,
    /// How many bytes may be written from the position on.
    pub(super) room_bytes: u64,
}

impl Staging {
    pub(super) fn new(root: Folder, started: u128) -> Self {
        Self { root, durable: Durable::default(), grids: Mutex::default(), started, count: AtomicU64::new(0) }
    }

    /// The folder of a place. A place that was opened but lost its folder with the power gets a new one: nothing
    /// had landed there.
    pub(super) fn folder(&self, place: &Place) -> Result<Folder, Fault> {
        let name = name_of(place)?;
        if let Some(folder) = self.root.folder(name)? {
            return Ok(folder);
        }
        self.durable.forget(name);
        self.root.make_folder(name)?;
        self.root.folder(name)?.ok_or_else(|| missing("a staging folder"))
    }

    /// Whether the folder of a place that holds acknowledged bytes is still there: a fault if it is not, for a new
    /// one would have holes where they were.
    pub(super) fn expect(&self, place: &Place) -> Result<(), Fault> {
        self.root.folder(name_of(place)?)?.map(drop).ok_or_else(|| missing("a staging folder"))
    }

    /// Opens the file for a part, where the spot and the size allow: in place, on the grid, or one of its own.
    pub(super) fn open_part(
        &self,
        place: &Place,
        slot: Slot,
        size_bytes: Option<u64>,
        spot: Spot,
    ) -> Result<Opening, Fault> {
        let folder = self.folder(place)?;
        let room_bytes = slot.room.max_bytes();
        let shared = match (spot, slot.offset_bytes, size_bytes) {
            (Spot::Own, Some(offset_bytes), _) => {
                Some((Position { file: OBJECT.to_owned(), offset_bytes }, room_bytes))
            }
            (Spot::Own, None, Some(size_bytes)) => self.on_grid(place, slot.number, size_bytes),
            (Spot::Own, None, None) | (Spot::Aside, _, _) => None,
        };
        let Some((position, room_bytes)) = shared else {
            return self.open_own(folder, slot.number, room_bytes);
        };
        let file = self.open_shared(place, &folder, &position.file)?;
        Ok(Opening { folder, file, position, room_bytes })
    }

    /// Opens the file in which a parked tail lies, behind the tail.
    pub(super) fn reopen(&self, place: &Place, slot: Slot, mark: &Mark) -> Result<Opening, Fault> {
        let folder = self.folder(place)?;
        let position = Position::from_mark(mark)?;
        let file = folder.file(&position.file)?.ok_or_else(|| missing("a parked tail"))?;
        let room_bytes = position.grid_bytes().unwrap_or(slot.room.max_bytes());
        Ok(Opening { folder, file, position, room_bytes })
    }

    /// Where a part of a free plan lies if the guess is right that all parts have the size of the largest so far.
    fn on_grid(&self, place: &Place, number: u32, size_bytes: u64) -> Option<(Position, u64)> {
        let mut grids = self.grids.lock().unwrap_or_else(PoisonError::into_inner);
        if grids.len() >= GRIDS_MAX && !grids.contains_key(&place.0) {
            grids.clear();
        }
        let grid = grids.entry(place.0.clone()).or_insert(1);
        *grid = size_bytes.max(*grid);
        let offset_bytes = u64::from(number - 1).checked_mul(*grid)?;
        offset_bytes.checked_add(*grid).filter(|end| *end <= GRID_END_MAX)?;
        Some((Position { file: position::grid(*grid), offset_bytes }, *grid))
    }

    fn open_shared(&self, place: &Place, folder: &Folder, name: &str) -> Result<File, Fault> {
        if let Some(file) = folder.file(name)? {
            return Ok(file);
        }
        self.durable.forget(&format!("{}/{name}", place.0));
        match folder.create_file(name)? {
            Some(file) => Ok(file),
            // Another part of the upload was quicker.
            None => folder.file(name)?.ok_or_else(|| missing("a staging file")),
        }
    }

    fn open_own(&self, folder: Folder, number: u32, room_bytes: u64) -> Result<Opening, Fault> {
        loop {
            let file = position::own(number, self.started, self.count.fetch_add(1, Ordering::Relaxed));
            if let Some(opened) = folder.create_file(&file)? {
                let position = Position { file, offset_bytes: 0 };
                return Ok(Opening { folder, file: opened, position, room_bytes });
            }
        }
    }

    /// Makes the names that lead to a file durable.
    pub(super) fn settle(&self, place: &Place, folder: &Folder, name: &str) -> Result<(), Fault> {
        self.durable.settle(folder, &format!("{}/{name}", place.0))?;
        self.durable.settle(&self.root, &place.0)
    }

    /// Removes a part's own file. What lies in a shared file stays there until the place is discarded.
    pub(super) fn drop_part(&self, place: &Place, mark: &Mark) -> Result<(), Fault> {
        let Some(position) = Position::parse(mark).filter(Position::is_own) else { return Ok(()) };
        match self.root.folder(name_of(place)?)? {
            Some(folder) => folder.remove_file(&position.file),
            None => Ok(()),
        }
    }

    /// Removes a place with all that is in it.
    pub(super) fn discard(&self, place: &Place) -> Result<(), Fault> {
        let name = name_of(place)?;
        self.grids.lock().unwrap_or_else(PoisonError::into_inner).remove(&place.0);
        let Some(folder) = self.root.folder(name)? else { return Ok(()) };
        // A second round, should a writer that was cut have created its file meanwhile.
        for _ in 0..3 {
            folder.for_each_name(|file| folder.remove_file(file))?;
            if self.root.remove_folder(name)? {
                return Ok(());
            }
        }
        Err(Fault::new(FaultKind::Internal, "clearing a staging folder", "it does not become empty"))
    }

    /// Places in the order of their names.
    pub(super) fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        let after = after.map_or("", |place| place.0.as_str());
        let mut found: BTreeSet<(String, UploadId)> = BTreeSet::new();
        self.root.for_each_name(|name| {
            let Some(id) = UploadId::parse(name).filter(|_| name > after) else { return Ok(()) };
            let is_late = found.len() >= limit && found.last().is_none_or(|(last, _)| name > last.as_str());
            if !is_late && self.changed_at(name)?.is_some_and(|changed_at| changed_at <= before) {
                found.insert((name.to_owned(), id));
                if found.len() > limit {
                    found.pop_last();
                }
            }
            Ok(())
        })?;
        Ok(found.into_iter().map(|(name, id)| (Place(name), Holder::Upload(id))).collect())
    }

    /// When something last happened to an upload: a file came, or was written to in place.
    fn changed_at(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(folder) = self.root.folder(name)? else { return Ok(None) };
        let of_folder = self.root.look(name)?;
        let of_object = folder.look(OBJECT)?;
        Ok(of_folder.into_iter().chain(of_object).map(|found| modified_at(&found)).max())
    }

    /// Whether something can be created and written here.
    pub(super) fn check(&self) -> Result<(), Fault> {
        const PROBE: &str = "probe";
        self.root.remove_file(PROBE)?;
        if let Some(file) = self.root.create_file(PROBE)? {
            file.write(0, &[bytes::Bytes::from_static(b"Whether this can be written.")])?;
        }
        self.root.remove_file(PROBE)
    }
}

/// When a file was last written to.
pub(super) fn modified_at(of: &std::fs::Metadata) -> Timestamp {
    Timestamp::from_millis(of.mtime().saturating_mul(1000).saturating_add(of.mtime_nsec() / 1_000_000))
}

/// A fault for what was acknowledged and is gone.
pub(super) fn missing(what: &str) -> Fault {
    Fault::new(FaultKind::Corrupt, format!("opening {what}"), "it is not there any more")
}

/// Only names of uploads are taken as places, so that none leads out of the staging folder.
fn name_of(place: &Place) -> Result<&str, Fault> {
    match UploadId::parse(&place.0) {
        Some(_) => Ok(&place.0),
        None => Err(Fault::new(
            FaultKind::Corrupt,
            "finding a staging folder",
            format!("{:?} is no place of this store", place.0),
        )),
    }
}
