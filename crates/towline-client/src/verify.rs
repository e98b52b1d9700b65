//! Compares a file here with the one that is stored: by the digest that the other end tells, and where it tells none, by
//! reading it back.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use towline_core::crc64::Joined;
use towline_core::digest::{Algorithm, Digest, Digester};

use crate::event::{Event, FileNumber, Watch};
use crate::get::{Job, Options, piece_bytes};
use crate::remote::{Shelf, Slot, slots};
use crate::source::FileSource;
use crate::trouble::Trouble;

/// How many ranges of the file are read at once where nothing comes over the line.
const READERS: usize = 2;

/// Compares with what is stored in one place.
#[derive(Debug)]
pub struct Verify {
    shelf: Arc<dyn Shelf>,
    watch: Arc<dyn Watch>,
    options: Options,
}

/// Whether a file is stored as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same { by: Digest, word: Word },
    Differs { what: String },
    Missing,
}

/// Whose word the digest of the stored file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The other end tells it.
    Told,
    /// The other end tells none: the file was read back, and digested here.
    ReadBack,
}

impl Verify {
    pub fn new(shelf: Arc<dyn Shelf>, watch: Arc<dyn Watch>, options: Options) -> Self {
        Self { shelf, watch, options }
    }

    pub async fn run(&self, number: FileNumber, key: &str, file: &FileSource) -> Result<Verdict, Trouble> {
        let Some(stored) = self.shelf.stored(key).await? else { return Ok(Verdict::Missing) };
        if stored.size_bytes != file.size_bytes() {
            let (here, there) = (file.size_bytes(), stored.size_bytes);
            return Ok(Verdict::Differs { what: format!("here it has {here} bytes, there {there}") });
        }
        let job = Job::new((&*self.shelf, &*self.watch), self.options, (number, &stored));
        let told = stored.crc64.map(Digest::of_crc64).or_else(|| stored.digest.clone());
        let verdict = match told {
            Some(told) => Box::pin(self.by_digest(number, file, told)).await?,
            None => Box::pin(self.by_reading(&job, file)).await?,
        };
        // What was found is true of the file as it was; of one that changes, nothing can be said.
        file.check_unchanged()?;
        Ok(verdict)
    }

    async fn by_digest(
        &self,
        number: FileNumber,
        file: &FileSource,
        told: Digest,
    ) -> Result<Verdict, Trouble> {
        self.began(number, file.size_bytes());
        let found = match told.algorithm() {
            Algorithm::Crc64Nvme => Some(self.joined(number, file).await?),
            algorithm @ (Algorithm::Crc32
            | Algorithm::Crc32c
            | Algorithm::Md5
            | Algorithm::Sha1
            | Algorithm::Sha256
            | Algorithm::Sha512) => self.in_order(number, file, algorithm).await?,
        };
        if found.as_ref() == Some(&told) {
            return Ok(Verdict::Same { by: told, word: Word::Told });
        }
        let here = found.map(|found| found.to_hex()).unwrap_or_default();
        let (algorithm, there) = (told.algorithm(), told.to_hex());
        Ok(Verdict::Differs { what: format!("here its {algorithm} is {here}, there {there}") })
    }

    /// Ranges at the same time: the CRC of a whole is made of those of its pieces.
    async fn joined(&self, number: FileNumber, file: &FileSource) -> Result<Digest, Trouble> {
        let pieces = parts(file.size_bytes()).map(|slot| async move {
            let computed = Box::pin(file.digest(slot.offset_bytes, slot.size_bytes, None)).await?;
            self.watch.see(number, Event::Compared { bytes: slot.size_bytes });
            Ok::<_, Trouble>(computed)
        });
        let mut pieces = stream::iter(pieces).buffered(READERS);
        let mut joined = Joined::default();
        while let Some(piece) = pieces.try_next().await? {
            joined.push(piece.crc64, piece.size_bytes);
        }
        Ok(Digest::of_crc64(joined.crc64()))
    }

    async fn in_order(
        &self,
        number: FileNumber,
        file: &FileSource,
        algorithm: Algorithm,
    ) -> Result<Option<Digest>, Trouble> {
        let mut digester = Digester::new([algorithm]);
        let mut frames = file.frames(0, file.size_bytes()).stream;
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|error| file.trouble(&error))?;
            digester.update(&frame);
            self.watch.see(number, Event::Compared { bytes: frame.len() as u64 });
        }
        Ok(digester.finish().get(algorithm))
    }

    /// Piece by piece, so that the first difference ends it.
    async fn by_reading(&self, job: &Job<'_>, file: &FileSource) -> Result<Verdict, Trouble> {
        self.began(job.number, file.size_bytes());
        let pieces = parts(file.size_bytes()).map(|slot| self.piece(job, file, slot).boxed());
        let mut pieces = stream::iter(pieces).buffered(self.options.workers.max(1));
        let mut joined = Joined::default();
        while let Some((slot, here, there)) = pieces.try_next().await? {
            if here != there {
                let (first, last) = (slot.offset_bytes, slot.offset_bytes + slot.size_bytes - 1);
                return Ok(Verdict::Differs {
                    what: format!("they differ between bytes {first} and {last}"),
                });
            }
            joined.push(here, slot.size_bytes);
        }
        Ok(Verdict::Same { by: Digest::of_crc64(joined.crc64()), word: Word::ReadBack })
    }

    /// The CRC-64/NVME of a range here, and there.
    async fn piece(&self, job: &Job<'_>, file: &FileSource, slot: Slot) -> Result<(Slot, u64, u64), Trouble> {
        let mut digester = Digester::new(None);
        let mut reading = job.read(slot);
        while let Some(frame) = reading.next().await? {
            digester.update(&frame);
        }
        let here = Box::pin(file.digest(slot.offset_bytes, slot.size_bytes, None)).await?;
        self.watch.see(job.number, Event::Compared { bytes: slot.size_bytes });
        Ok((slot, here.crc64, digester.finish().crc64))
    }

    fn began(&self, number: FileNumber, size_bytes: u64) {
        let (total_bytes, part_bytes) = (Some(size_bytes), piece_bytes(size_bytes));
        self.watch.see(number, Event::Began { ticket: None, total_bytes, part_bytes, is_resumed: false });
    }
}

fn parts(size_bytes: u64) -> impl Iterator<Item = Slot> {
    slots(size_bytes, piece_bytes(size_bytes))
}

#[cfg(test)]
mod tests;
