//! A store in memory that is also a lying disk: what was not made durable is lost, or half lost, when it
//! loses power.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use crate::clock::{Clock, Timestamp};
use crate::error::{Fault, FaultKind};
use crate::key::Key;
use crate::lease::Lease;
use crate::store::{
    ByteStream, Holder, Limits, Listed, Mark, Object, ObjectReader, Obstacle, Opened, PartPlace, PartWriter,
    Place, Seal, SealedObject, Spot, Store,
};
use crate::upload::{About, Part, Tail, UploadId};

/// See the module.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    limits: Limits,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    staged: BTreeMap<String, Staged>,
    objects: BTreeMap<String, Stored>,
    /// Names own files and versions; never goes back.
    counter: u64,
    is_full: bool,
}

#[derive(Clone, Debug)]
struct Staged {
    /// By file name: "" is the object that even parts are written into.
    files: HashMap<String, File>,
    sealed: Option<SealedObject>,
    changed_at: Timestamp,
}

#[derive(Clone, Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Written, not synced.
    dirty: Vec<Range<usize>>,
}

#[derive(Clone, Debug)]
struct Stored {
    bytes: Bytes,
    version: String,
    modified_at: Timestamp,
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[at..end].copy_from_slice(bytes);
        self.dirty.push(at..end);
    }

    /// Makes one range durable and nothing else: the worst that fdatasync's promise allows.
    fn sync(&mut self, range: Range<usize>) {
        if self.durable.len() < range.end {
            self.durable.resize(range.end, 0);
        }
        self.durable[range.clone()].copy_from_slice(&self.now[range.clone()]);
        self.dirty.retain(|dirty| dirty.start < range.start || dirty.end > range.end);
    }

    fn lose_power(&mut self, rng: &mut fastrand::Rng) {
        // Some of what was not synced may have reached the disk all the same.
        for dirty in std::mem::take(&mut self.dirty) {
            if rng.bool() && self.now.len() >= dirty.end {
                let kept = dirty.start..dirty.start + rng.usize(0..=dirty.len());
                self.sync(kept);
            }
        }
        self.dirty.clear();
        self.now = self.durable.clone();
    }
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let limits = Limits {
            part_bytes_min: 1,
            part_bytes_max: 64 * 1024 * 1024,
            parts_max: 10_000,
            total_bytes_max: 1024 * 1024 * 1024 * 1024,
            segment_bytes_max: Some(255),
        };
        Self { clock, limits, disk: Arc::default() }
    }

    /// Forgets what was not durable.
    pub fn lose_power(&self, rng: &mut fastrand::Rng) {
        for staged in self.lock().staged.values_mut() {
            staged.files.values_mut().for_each(|file| file.lose_power(rng));
        }
    }

    /// From now on nothing more can be written, until it is set back.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.lock().objects.get(key).map(|stored| stored.bytes.clone())
    }

    /// The bytes of one landed part or tail; `offset_bytes` is where an even plan places it.
    pub fn staged_bytes(
        &self,
        place: &Place,
        (mark, offset_bytes, size_bytes): (&Mark, u64, u64),
    ) -> Option<Vec<u8>> {
        let disk = self.lock();
        let staged = disk.staged.get(&place.0)?;
        staged.slice(mark, offset_bytes, size_bytes).map(<[u8]>::to_vec)
    }

    /// Puts a whole part into a place, durably, as somebody would who goes past the engine.
    pub fn stage(&self, place: &Place, number: u32, bytes: &[u8]) -> Mark {
        let mut disk = self.lock();
        disk.counter += 1;
        let name = format!("past-{number}-{}", disk.counter);
        let staged = disk.staged.get_mut(&place.0).expect("the place is open");
        let file = File { now: bytes.to_vec(), durable: bytes.to_vec(), dirty: Vec::new() };
        staged.files.insert(name.clone(), file);
        Mark(name)
    }

    pub fn staged_count(&self) -> usize {
        self.lock().staged.len()
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self, at: PartPlace<'_>, file: String, tail_bytes: u64) -> Box<dyn PartWriter> {
        let part_start = if file.is_empty() { at.slot.offset_bytes.unwrap_or(0) } else { 0 };
        let start = usize::try_from(part_start + tail_bytes).expect("a test's part fits");
        Box::new(MemoryWriter {
            disk: Arc::clone(&self.disk),
            clock: Arc::clone(&self.clock),
            place: at.place.0.clone(),
            file,
            start,
            end: start,
            _lease: at.lease,
        })
    }
}

fn gone(doing: &'static str) -> Fault {
    Fault::new(FaultKind::Internal, doing, "the place is not there")
}

fn obstacle(disk: &Disk, key: &Key) -> Option<Obstacle> {
    let folder = format!("{key}/");
    if disk.objects.range(folder.clone()..).next().is_some_and(|(other, _)| other.starts_with(&folder)) {
        return Some(Obstacle { name: key.to_string(), is_folder: true });
    }
    let mut path = String::new();
    for segment in key.segments() {
        path.push_str(segment);
        if path != key.as_str() && disk.objects.contains_key(&path) {
            return Some(Obstacle { name: path, is_folder: false });
        }
        path.push('/');
    }
    None
}

impl Staged {
    fn slice(&self, mark: &Mark, offset_bytes: u64, size_bytes: u64) -> Option<&[u8]> {
        let file = self.files.get(&mark.0)?;
        let start = if mark.0.is_empty() { usize::try_from(offset_bytes).ok()? } else { 0 };
        file.now.get(start..start.checked_add(usize::try_from(size_bytes).ok()?)?)
    }

    fn join(&self, parts: &[Part]) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::new();
        for part in parts {
            let bytes = self.slice(&part.mark, whole.len() as u64, part.size_bytes).ok_or_else(|| {
                Fault::new(FaultKind::Corrupt, "reading parts", format!("part {} is gone", part.number))
            })?;
            whole.extend_from_slice(bytes);
        }
        Ok(whole)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn open(&self, id: UploadId, key: &Key, _about: &About) -> Result<Opened, Fault> {
        let mut disk = self.lock();
        if let Some(obstacle) = obstacle(&disk, key) {
            return Ok(Opened::Blocked(obstacle));
        }
        let place = Place(id.to_string());
        let staged = Staged { files: HashMap::new(), sealed: None, changed_at: self.clock.now() };
        disk.staged.insert(place.0.clone(), staged);
        Ok(Opened::At(place))
    }

    async fn write_part(&self, at: PartPlace<'_>, spot: Spot) -> Result<Box<dyn PartWriter>, Fault> {
        let file = {
            let mut disk = self.lock();
            disk.counter += 1;
            let own = format!("part-{}-{}", at.slot.number, disk.counter);
            let staged = disk.staged.get_mut(&at.place.0).ok_or_else(|| gone("beginning a part"))?;
            let is_in_place = spot == Spot::Own && at.slot.offset_bytes.is_some();
            let file = if is_in_place { String::new() } else { own };
            staged.files.entry(file.clone()).or_default();
            file
        };
        Ok(self.writer(at, file, 0))
    }

    async fn continue_part(&self, at: PartPlace<'_>, tail: &Tail) -> Result<Box<dyn PartWriter>, Fault> {
        Ok(self.writer(at, tail.mark.0.clone(), tail.size_bytes))
    }

    async fn drop_part(&self, place: &Place, _number: u32, mark: &Mark) -> Result<(), Fault> {
        if let Some(staged) = self.lock().staged.get_mut(&place.0)
            && !mark.0.is_empty()
        {
            staged.files.remove(&mark.0);
        }
        Ok(())
    }

    async fn read_parts(&self, place: &Place, parts: &[Part]) -> Result<Option<ByteStream>, Fault> {
        let disk = self.lock();
        let staged = disk.staged.get(&place.0).ok_or_else(|| gone("reading parts"))?;
        if staged.sealed.is_some() {
            return Ok(None);
        }
        let whole = Bytes::from(staged.join(parts)?);
        Ok(Some(Box::pin(stream::iter([Ok(whole)]))))
    }

    async fn seal(&self, place: &Place, key: &Key, parts: &[Part]) -> Result<Seal, Fault> {
        let mut disk = self.lock();
        let staged = disk.staged.get(&place.0).ok_or_else(|| gone("sealing"))?;
        if let Some(sealed) = &staged.sealed {
            return Ok(Seal::Sealed(sealed.clone()));
        }
        let bytes = Bytes::from(staged.join(parts)?);
        if let Some(obstacle) = obstacle(&disk, key) {
            return Ok(Seal::Blocked(obstacle));
        }
        disk.counter += 1;
        let version = format!("v{}", disk.counter);
        let sealed = SealedObject { location: format!("memory:{key}"), version: version.clone(), tag: None };
        let stored = Stored { bytes, version, modified_at: self.clock.now() };
        disk.objects.insert(key.to_string(), stored);
        let staged = disk.staged.get_mut(&place.0).expect("it was there a moment ago");
        staged.files.clear();
        staged.sealed = Some(sealed.clone());
        Ok(Seal::Sealed(sealed))
    }

    async fn is_sealed(&self, place: &Place, _key: &Key, _parts: &[Part]) -> Result<bool, Fault> {
        Ok(self.lock().staged.get(&place.0).is_some_and(|staged| staged.sealed.is_some()))
    }

    async fn discard(&self, place: &Place) -> Result<(), Fault> {
        self.lock().staged.remove(&place.0);
        Ok(())
    }

    async fn survey(
        &self,
        before: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<(Place, Holder)>, Fault> {
        let disk = self.lock();
        let older = disk.staged.iter().filter(|(name, staged)| {
            staged.changed_at <= before && after.is_none_or(|after| **name > after.0)
        });
        Ok(older
            .filter_map(|(name, _)| Some((Place(name.clone()), Holder::Upload(UploadId::parse(name)?))))
            .take(limit)
            .collect())
    }

    async fn has(&self, key: &Key) -> Result<bool, Fault> {
        Ok(self.lock().objects.contains_key(key.as_str()))
    }

    async fn read(&self, key: &Key) -> Result<Option<Object>, Fault> {
        let Some(stored) = self.lock().objects.get(key.as_str()).cloned() else {
            return Ok(None);
        };
        Ok(Some(Object {
            size_bytes: stored.bytes.len() as u64,
            version: stored.version,
            modified_at: stored.modified_at,
            reader: Box::new(MemoryReader(stored.bytes)),
        }))
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, Fault> {
        let disk = self.lock();
        let from = (Bound::Excluded(after.to_owned()), Bound::Unbounded);
        let found = disk.objects.range(from).filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .filter_map(|(key, stored)| {
                Some(Listed {
                    key: Key::parse(key).ok()?,
                    size_bytes: stored.bytes.len() as u64,
                    version: stored.version.clone(),
                    modified_at: stored.modified_at,
                })
            })
            .take(limit)
            .collect())
    }

    async fn remove(&self, key: &Key) -> Result<(), Fault> {
        self.lock().objects.remove(key.as_str());
        Ok(())
    }

    async fn check(&self) -> Result<(), Fault> {
        if self.lock().is_full {
            return Err(Fault::new(FaultKind::Full, "checking the store", "it is full"));
        }
        Ok(())
    }
}

struct MemoryReader(Bytes);

impl ObjectReader for MemoryReader {
    fn read(&self, range: Range<u64>) -> ByteStream {
        let at = |offset| usize::try_from(offset).expect("a test's object fits");
        Box::pin(stream::iter([Ok(self.0.slice(at(range.start)..at(range.end)))]))
    }
}

struct MemoryWriter {
    disk: Arc<Mutex<Disk>>,
    clock: Arc<dyn Clock>,
    place: String,
    file: String,
    start: usize,
    end: usize,
    _lease: Lease,
}

impl MemoryWriter {
    fn sync(&self, doing: &'static str) -> Result<Mark, Fault> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if disk.is_full {
            return Err(Fault::new(FaultKind::Full, doing, "it is full"));
        }
        let staged = disk.staged.get_mut(&self.place).ok_or_else(|| gone(doing))?;
        staged.changed_at = self.clock.now();
        let file = staged.files.get_mut(&self.file).ok_or_else(|| gone(doing))?;
        file.sync(self.start..self.end);
        Ok(Mark(self.file.clone()))
    }
}

#[async_trait]
impl PartWriter for MemoryWriter {
    async fn write(&mut self, frame: Bytes) -> Result<(), Fault> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if disk.is_full {
            return Err(Fault::new(FaultKind::Full, "writing a part", "it is full"));
        }
        let staged = disk.staged.get_mut(&self.place).ok_or_else(|| gone("writing a part"))?;
        staged.files.entry(self.file.clone()).or_default().write(self.end, &frame);
        self.end += frame.len();
        Ok(())
    }

    async fn land(self: Box<Self>) -> Result<Mark, Fault> {
        self.sync("landing a part")
    }

    async fn park(self: Box<Self>) -> Result<Mark, Fault> {
        self.sync("parking a tail")
    }
}
