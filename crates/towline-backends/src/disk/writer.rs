//! Takes the bytes of one part. Frames are gathered, never copied, and written in a few large calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use towline_core::error::{Fault, FaultKind};
use towline_core::lease::Lease;
use towline_core::store::{Mark, PartWriter, Place};

use super::files::File;
use super::staging::Opening;
use super::{Disk, blocking};

/// Frames are written when this much has come: large ones at once, while they are in the processor's cache and
/// so that their buffer can be read into again …
const BATCH_BYTES: usize = 64 * 1024;
/// … or this many, however small they are.
const BATCH_FRAMES: usize = 64;

/// Where parts are to be durable, the disk is set to work on every stretch of this size as soon as it is full:
/// landing then waits for the rest only, half as long as for the whole.
const WRITE_OUT_BYTES: u64 = 1024 * 1024;

/// Whether the page cache takes writes at once. Then a write is made where the frame arrived, which is the
/// cheapest by far; but a disk that has fallen behind makes writers sleep, and they must not sleep on a thread
/// that serves others.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many more writes are handed to a blocking thread.
    cautious: AtomicU32,
}

impl Pace {
    /// A willing page cache takes a batch in a tenth of a millisecond. With a much smaller bound a busy processor
    /// is taken for a busy disk, and the detour over other threads costs a third more processor time.
    const SLOW: Duration = Duration::from_millis(25);
    const CAUTION: u32 = 32;

    fn is_quick(&self) -> bool {
        self.cautious.load(Ordering::Relaxed) == 0
    }

    fn observe(&self, took: Duration) {
        if took > Self::SLOW {
            self.cautious.store(Self::CAUTION, Ordering::Relaxed);
        } else {
            let less = |left: u32| left.checked_sub(1);
            // An error means that it is zero already.
            self.cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
        }
    }
}

/// What a write needs, wherever it is made. Holding the lease, it keeps a successor waiting until it is done.
struct Target {
    disk: Arc<Disk>,
    place: Place,
    opening: Opening,
    _lease: Lease,
}

impl Target {
    fn file(&self) -> &File {
        &self.opening.file
    }

    fn write(&self, written_bytes: u64, frames: &[Bytes]) -> Result<(), Fault> {
        let began = Instant::now();
        let from = self.opening.position.offset_bytes + written_bytes;
        self.file().write(from, frames)?;
        let to = from + frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        let full = |at: u64| at / WRITE_OUT_BYTES * WRITE_OUT_BYTES;
        if self.disk.sync && full(to) > full(from) {
            self.file().begin_write_out(full(from)..full(to));
        }
        self.disk.pace.observe(began.elapsed());
        Ok(())
    }

    fn make_durable(&self) -> Result<(), Fault> {
        self.file().sync_bytes()?;
        self.disk.staging.settle(&self.place, &self.opening.folder, &self.opening.position.file)
    }
}

pub(super) struct DiskWriter {
    target: Arc<Target>,
    /// Bytes of the part that are in the file, a continued tail's among them.
    written_bytes: u64,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    /// The file was created for this part and nobody knows of it yet: it goes when the writer does.
    is_unclaimed: bool,
}

impl DiskWriter {
    /// `tail_bytes` are in the file already.
    pub(super) fn new(
        disk: Arc<Disk>,
        place: Place,
        opening: Opening,
        tail_bytes: Option<u64>,
        lease: Lease,
    ) -> Self {
        let is_unclaimed = opening.position.is_own() && tail_bytes.is_none();
        Self {
            target: Arc::new(Target { disk, place, opening, _lease: lease }),
            written_bytes: tail_bytes.unwrap_or(0),
            gathered: Vec::new(),
            gathered_bytes: 0,
            is_unclaimed,
        }
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let written_bytes = self.written_bytes;
        self.written_bytes += self.gathered_bytes as u64;
        self.gathered_bytes = 0;
        if self.target.disk.pace.is_quick() {
            self.target.write(written_bytes, &self.gathered)?;
            self.gathered.clear();
            return Ok(());
        }
        let (target, frames) = (Arc::clone(&self.target), std::mem::take(&mut self.gathered));
        blocking(move || target.write(written_bytes, &frames)).await
    }

    /// Writes the rest and makes all of it durable.
    async fn settle(mut self) -> Result<Mark, Fault> {
        // First, so that no frame waits in memory for the disk.
        self.flush().await?;
        if self.target.disk.sync {
            let target = Arc::clone(&self.target);
            blocking(move || target.make_durable()).await?;
        }
        self.is_unclaimed = false;
        Ok(self.target.opening.position.to_mark())
    }
}

#[async_trait]
impl PartWriter for DiskWriter {
    async fn write(&mut self, frame: Bytes) -> Result<(), Fault> {
        let end_bytes = self.written_bytes + (self.gathered_bytes + frame.len()) as u64;
        if end_bytes > self.target.opening.room_bytes {
            let what = format!("{end_bytes} bytes for a room of {}", self.target.opening.room_bytes);
            return Err(Fault::new(FaultKind::Internal, "writing a part", what));
        }
        self.gathered_bytes += frame.len();
        self.gathered.push(frame);
        if self.gathered_bytes >= BATCH_BYTES || self.gathered.len() >= BATCH_FRAMES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn land(self: Box<Self>) -> Result<Mark, Fault> {
        self.settle().await
    }

    async fn park(self: Box<Self>) -> Result<Mark, Fault> {
        self.settle().await
    }
}

impl Drop for DiskWriter {
    /// Saves room; a file that is left behind by a crash goes when its place is discarded.
    fn drop(&mut self) {
        if !self.is_unclaimed {
            return;
        }
        let target = Arc::clone(&self.target);
        let remove = move || target.opening.folder.remove_file(&target.opening.position.file);
        // Removing a large file takes a while. Outside the runtime nobody is kept waiting.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => drop(remove()),
        }
    }
}
