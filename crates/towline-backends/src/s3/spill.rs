//! Where the bytes of a part wait until all of them are here: in memory, as long as all waiting parts together are
//! below a bound, else in a file that has no name and goes with the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use towline_core::error::{Fault, FaultKind};
use towline_s3::Content;

/// Smaller frames are gathered into larger ones: they would cost more than they hold.
const SMALL_BYTES: usize = 4 * 1024;
/// So much is written to a file by one call.
const BATCH_BYTES: usize = 64 * 1024;
/// So much is read from a file by one call.
const CHUNK_BYTES: u64 = 256 * 1024;

/// What waits at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub memory_bytes: u64,
    pub file_bytes: u64,
}

/// The room for all waiting parts of a process.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    memory_bytes_max: u64,
    memory_bytes: AtomicU64,
    file_bytes: AtomicU64,
}

impl Spill {
    pub(super) fn new(folder: PathBuf, memory_bytes_max: u64) -> Self {
        Self { folder, memory_bytes_max, memory_bytes: AtomicU64::new(0), file_bytes: AtomicU64::new(0) }
    }

    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
            file_bytes: self.file_bytes.load(Ordering::Relaxed),
        }
    }

    fn reserve(&self, bytes: u64) -> bool {
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= self.memory_bytes_max);
        self.memory_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// The bytes of one part. What it takes is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Heap {
    spill: Arc<Spill>,
    /// The first bytes of the part, once there was no room for it in memory.
    file: Option<Arc<File>>,
    file_bytes: u64,
    /// The bytes after those.
    frames: Vec<Bytes>,
    small: BytesMut,
    frames_bytes: u64,
    reserved_bytes: u64,
}

impl Heap {
    pub(super) fn new(spill: &Arc<Spill>) -> Self {
        Self {
            spill: Arc::clone(spill),
            file: None,
            file_bytes: 0,
            frames: Vec::new(),
            small: BytesMut::new(),
            frames_bytes: 0,
            reserved_bytes: 0,
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.file_bytes + self.frames_bytes
    }

    pub(super) async fn push(&mut self, frame: Bytes) -> Result<(), Fault> {
        let frame_bytes = frame.len() as u64;
        let fits = self.file.is_none() && self.spill.reserve(frame_bytes);
        if fits {
            self.reserved_bytes += frame_bytes;
        }
        self.frames_bytes += frame_bytes;
        if frame.len() < SMALL_BYTES {
            self.small.extend_from_slice(&frame);
        } else {
            self.close_small();
            self.frames.push(frame);
        }
        if self.small.len() >= BATCH_BYTES {
            self.close_small();
        }
        if !fits && (self.file.is_none() || self.frames_bytes >= BATCH_BYTES as u64) {
            self.flush().await?;
        }
        Ok(())
    }

    /// The bytes as a request carries them, as often as it is tried.
    pub(super) fn content(&mut self) -> Content {
        self.close_small();
        let (file, file_bytes, frames) = (self.file.clone(), self.file_bytes, self.frames.clone());
        let open = move || {
            let spilled = stream::iter(file.clone()).flat_map(move |file| read(file, file_bytes));
            spilled.chain(stream::iter(frames.clone()).map(Ok)).boxed()
        };
        Content::Stream(self.size_bytes(), Arc::new(open))
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.frames.push(self.small.split().freeze());
        }
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.close_small();
        let (folder, file, at) = (self.spill.folder.clone(), self.file.clone(), self.file_bytes);
        let frames = std::mem::take(&mut self.frames);
        let written = tokio::task::spawn_blocking(move || -> io::Result<Arc<File>> {
            let file = match file {
                Some(file) => file,
                None => Arc::new(tempfile::tempfile_in(folder)?),
            };
            let mut at = at;
            for frame in frames {
                file.write_all_at(&frame, at)?;
                at += frame.len() as u64;
            }
            Ok(file)
        });
        let written = written.await.map_err(io::Error::other).and_then(|result| result);
        self.file = Some(written.map_err(|error| spill_fault(error, "keeping a part in a spill file"))?);
        self.spill.file_bytes.fetch_add(self.frames_bytes, Ordering::Relaxed);
        self.file_bytes += self.frames_bytes;
        self.frames_bytes = 0;
        self.release();
        Ok(())
    }

    fn release(&mut self) {
        self.spill.memory_bytes.fetch_sub(self.reserved_bytes, Ordering::Relaxed);
        self.reserved_bytes = 0;
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.release();
        self.spill.file_bytes.fetch_sub(self.file_bytes, Ordering::Relaxed);
    }
}

fn spill_fault(error: io::Error, doing: &'static str) -> Fault {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if is_full { FaultKind::Full } else { FaultKind::Internal };
    Fault::new(kind, doing, error)
}

fn read(file: Arc<File>, size_bytes: u64) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(0, move |at| {
        let file = Arc::clone(&file);
        async move {
            let chunk_bytes = CHUNK_BYTES.min(size_bytes - at);
            if chunk_bytes == 0 {
                return Ok(None);
            }
            let chunk = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; usize::try_from(chunk_bytes).expect("a chunk is small")];
                file.read_exact_at(&mut chunk, at).map(|()| chunk)
            });
            let chunk = chunk.await.map_err(io::Error::other)??;
            Ok(Some((Bytes::from(chunk), at + chunk_bytes)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn gather(content: &Content) -> Vec<u8> {
        let Content::Stream(size_bytes, open) = content else { panic!("a heap is streamed") };
        let frames: Vec<Bytes> = open().map(|frame| frame.unwrap()).collect().await;
        let bytes = frames.concat();
        assert_eq!(bytes.len() as u64, *size_bytes);
        bytes
    }

    #[tokio::test]
    async fn parts_spill_when_all_of_them_are_too_much_and_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Arc::new(Spill::new(folder.path().to_owned(), 300_000));
        let mut heaps: Vec<(Heap, Vec<u8>)> = (0..4).map(|_| (Heap::new(&spill), Vec::new())).collect();
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (heap, expected) = &mut heaps[rng.usize(..4)];
            let frame_bytes = rng.usize(1..20_000);
            let frame: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(frame_bytes).collect();
            expected.extend_from_slice(&frame);
            heap.push(frame.into()).await.unwrap();
            assert!(spill.waiting().memory_bytes <= 300_000);
        }
        assert!(spill.waiting().file_bytes > 0, "200 frames of 10,000 bytes do not fit");
        for (heap, expected) in &mut heaps {
            let content = heap.content();
            assert_eq!(gather(&content).await, *expected);
            assert_eq!(gather(&content).await, *expected, "again, for another try");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the files have no names");
        drop(heaps);
        assert_eq!(spill.waiting(), Waiting::default());
    }

    #[tokio::test]
    async fn nothing_is_a_content_too() {
        let spill = Arc::new(Spill::new(PathBuf::from("/nowhere"), 0));
        assert!(gather(&Heap::new(&spill).content()).await.is_empty());
        assert!(Heap::new(&spill).push(Bytes::from_static(b"x")).await.is_err(), "there is no such folder");
    }
}
