//! Downloads a file in parallel ranges, into a place beside its final name. The final name only ever leads to the whole
//! file; what has arrived is used by the next try, after anything.

mod notes;
mod partial;
mod pour;
mod reading;
mod target;

#[cfg(test)]
pub(crate) mod double;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;
use towline_core::crc64::Joined;
use towline_core::digest::{Algorithm, Digest, Digester};

use crate::event::{Event, FileNumber, Watch};
use crate::put::Patience;
use crate::remote::{Shelf, Slot, Stored};
use crate::source::{FileSource, shown};
use crate::trouble::Trouble;

use notes::{Come, Header, Pieces};
use partial::Partial;
use target::Target;

pub(crate) use notes::piece_bytes;
pub(crate) use reading::Job;

/// How many bytes are collected for one write.
const WRITE_BYTES: u64 = 1024 * 1024;
/// How many lines of the notes a piece gets.
const LINES_OF_PIECE_MAX: u64 = 8;
/// How often a download begins again because the file was replaced at the other end, or because it comes only whole.
const BEGINNINGS_MAX: u32 = 5;
const ONLY_WHOLE: &str =
    "the other end gives files only whole: when the line breaks, this one comes from its beginning again";

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many ranges are under way at once.
    pub workers: usize,
    pub patience: Patience,
    /// How long a line may be silent before it counts as broken.
    pub silence: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 4, patience: Patience::default(), silence: Duration::from_mins(1) }
    }
}

/// Downloads from one place.
#[derive(Debug)]
pub struct Get {
    shelf: Arc<dyn Shelf>,
    watch: Arc<dyn Watch>,
    options: Options,
}

/// How a file came.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// Where it is now; nothing when it went to standard output.
    pub path: Option<PathBuf>,
    pub size_bytes: u64,
    /// Over all bytes as they came, and as they were found here again.
    pub crc64: u64,
    /// The digest that the other end tells, found to be true; nothing where it tells none.
    pub checked: Option<Digest>,
    pub took: Duration,
    /// What came over the line.
    pub received_bytes: u64,
    /// What was here from before.
    pub kept_bytes: u64,
    pub retries: u64,
}

impl Get {
    pub fn new(shelf: Arc<dyn Shelf>, watch: Arc<dyn Watch>, options: Options) -> Self {
        Self { shelf, watch, options }
    }

    /// Downloads a file to `target`: a path, a folder, or `-` for standard output. What bears the final name is replaced
    /// once the new file is whole, checked and durable. Dropped at any moment, what has arrived is used by the next run.
    pub async fn run(&self, number: FileNumber, key: &str, target: &Path) -> Result<Fetched, Trouble> {
        let ended = if target == Path::new("-") {
            Box::pin(self.pour(number, key, &mut tokio::io::stdout())).await
        } else {
            Box::pin(self.fetch(number, key, target)).await
        };
        match &ended {
            Ok(fetched) => self.watch.see(number, Event::Fetched(fetched)),
            Err(trouble) => self.watch.see(number, Event::Failed { why: &trouble.to_string() }),
        }
        ended
    }

    async fn fetch(&self, number: FileNumber, key: &str, target: &Path) -> Result<Fetched, Trouble> {
        let began_at = Instant::now();
        let mut failures = 0;
        let (mut received_bytes, mut retries) = (0, 0);
        loop {
            let stored = find(&*self.shelf, key).await?;
            if failures == 0 && !self.shelf.has_ranges() {
                self.watch.see(number, Event::Note { what: ONLY_WHOLE });
            }
            let target = Target::resolve(target, &stored.key)?;
            let job = Job::new((&*self.shelf, &*self.watch), self.options, (number, &stored));
            let ended = Box::pin(self.fetch_this(&job, target)).await;
            received_bytes += job.received_bytes();
            retries += job.retries();
            match ended {
                Err(trouble) if failures < BEGINNINGS_MAX && self.begins_again(&job, &trouble) => {
                    failures += 1;
                    self.watch.see(number, Event::Lost { bytes: job.received_bytes() + job.kept_bytes() });
                    self.watch.see(number, Event::Note { what: &format!("{trouble}: looking again") });
                    let patience = self.options.patience;
                    let wait =
                        patience.wait(failures.min(patience.tries.saturating_sub(1)), None, fastrand::f64());
                    tokio::time::sleep(wait.unwrap_or_default()).await;
                }
                Ok(fetched) => {
                    return Ok(Fetched { took: began_at.elapsed(), received_bytes, retries, ..fetched });
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Whether only a new beginning helps: nobody gives the rest of what has come.
    fn begins_again(&self, job: &Job<'_>, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Gone { .. } => true,
            Trouble::Passing { .. } => !self.shelf.has_ranges() && job.received_bytes() > 0,
            Trouble::Refused { .. } | Trouble::Source { .. } => false,
        }
    }

    /// Downloads this very content.
    async fn fetch_this(&self, job: &Job<'_>, target: Target) -> Result<Fetched, Trouble> {
        let has_ranges = self.shelf.has_ranges();
        let header = if has_ranges { Header::of(job.stored) } else { Header::in_one(job.stored) };
        let (partial, mut claimed) = Partial::open(target, header.clone()).await?;
        if !has_ranges {
            claimed.retain(|_, come| come.size_bytes == header.size_bytes);
        }
        let kept = self.keep(job, &partial, (&header, claimed)).await?;
        let arrived = Box::pin(self.receive(job, &partial, (&header, kept))).await;
        // Writes go on when whoever waits for them is dropped: nobody else may have the file before they are done.
        partial.settle().await;
        let crc64 = match arrived {
            Ok(crc64) => crc64,
            Err(trouble) => {
                // What no other try can go on with would only take space.
                if !has_ranges || job.received_bytes() + job.kept_bytes() == 0 {
                    partial.discard().await?;
                }
                return Err(trouble);
            }
        };
        job.watch.see(job.number, Event::Finishing);
        match check(job.stored, crc64, Some(partial.growing())).await? {
            Verdict::Wrong(what) => {
                partial.discard().await?;
                Err(Trouble::refused(what)
                    .hint("nothing of it was kept; run the same command again to download it anew"))
            }
            Verdict::True(checked) => Ok(Fetched {
                path: Some(partial.publish().await?),
                size_bytes: header.size_bytes,
                crc64,
                checked,
                took: Duration::ZERO,
                received_bytes: job.received_bytes(),
                kept_bytes: job.kept_bytes(),
                retries: job.retries(),
            }),
        }
    }

    /// What came before and is found on the disk as it came.
    async fn keep(
        &self,
        job: &Job<'_>,
        partial: &Partial,
        (header, claimed): (&Header, Pieces),
    ) -> Result<Pieces, Trouble> {
        job.watch.see(
            job.number,
            Event::Began {
                ticket: None,
                total_bytes: Some(header.size_bytes),
                part_bytes: header.piece_bytes,
                is_resumed: !claimed.is_empty(),
            },
        );
        let compared = header
            .slots()
            .filter_map(|slot| claimed.get(&slot.number).map(|come| (slot, *come)))
            .filter(|(slot, come)| come.size_bytes <= slot.size_bytes)
            .map(|(slot, come)| async move {
                let found = partial.digest(slot, come.size_bytes).await?;
                job.watch.see(job.number, Event::Compared { bytes: come.size_bytes });
                Ok::<_, Trouble>((found == come.crc64).then_some((slot, come)))
            });
        let kept: Vec<(Slot, Come)> = stream::iter(compared)
            .buffer_unordered(self.options.workers.max(1))
            .try_filter_map(async |kept| Ok(kept))
            .try_collect()
            .await?;
        let whole = kept.iter().filter(|(slot, come)| come.size_bytes == slot.size_bytes).count();
        let bytes = kept.iter().map(|(_, come)| come.size_bytes).sum();
        if bytes > 0 {
            job.keep(bytes, u32::try_from(whole).unwrap_or(u32::MAX));
        }
        Ok(kept.into_iter().map(|(slot, come)| (slot.number, come)).collect())
    }

    /// Brings in what is missing; gives the digest of the whole.
    async fn receive(
        &self,
        job: &Job<'_>,
        partial: &Partial,
        (header, mut pieces): (&Header, Pieces),
    ) -> Result<u64, Trouble> {
        let missing: Vec<(Slot, Come)> = header
            .slots()
            .map(|slot| (slot, pieces.get(&slot.number).copied().unwrap_or_default()))
            .filter(|(slot, come)| come.size_bytes < slot.size_bytes)
            .collect();
        let mut arriving = stream::iter(missing)
            .map(|(slot, come)| receive_piece(job, partial, (slot, come, header.piece_bytes)).boxed())
            .buffer_unordered(self.options.workers.max(1));
        while let Some((number, come)) = arriving.try_next().await? {
            pieces.insert(number, come);
        }
        let mut joined = Joined::default();
        for come in pieces.values() {
            joined.push(come.crc64, come.size_bytes);
        }
        Ok(joined.crc64())
    }
}

/// What is missing of one piece, into its place.
async fn receive_piece(
    job: &Job<'_>,
    partial: &Partial,
    (slot, mut come, piece_bytes): (Slot, Come, u64),
) -> Result<(u32, Come), Trouble> {
    // There must not be too many lines in the notes of a huge file.
    let line_bytes = WRITE_BYTES.max(piece_bytes / LINES_OF_PIECE_MAX);
    let mut noted_bytes = come.size_bytes;
    let mut joined = Joined::default();
    joined.push(come.crc64, come.size_bytes);
    let mut reading = job.read(Slot {
        offset_bytes: slot.offset_bytes + come.size_bytes,
        size_bytes: slot.size_bytes - come.size_bytes,
        ..slot
    });
    while come.size_bytes < slot.size_bytes {
        let at = slot.offset_bytes + come.size_bytes;
        let mut frames = Vec::new();
        let mut digester = Digester::new(None);
        while digester.size_bytes() < WRITE_BYTES
            && let Some(frame) = reading.next().await?
        {
            digester.update(&frame);
            frames.push(frame);
        }
        let computed = digester.finish();
        joined.push(computed.crc64, computed.size_bytes);
        come = Come { size_bytes: come.size_bytes + computed.size_bytes, crc64: joined.crc64() };
        let is_worth = come.size_bytes - noted_bytes >= line_bytes || come.size_bytes == slot.size_bytes;
        partial.write(at, frames, is_worth.then_some((slot.number, come))).await?;
        if is_worth {
            noted_bytes = come.size_bytes;
        }
    }
    job.watch.see(job.number, Event::Landed { number: slot.number, size_bytes: slot.size_bytes });
    Ok((slot.number, come))
}

/// What the other end knows of a file that should be there.
async fn find(shelf: &dyn Shelf, key: &str) -> Result<Stored, Trouble> {
    let missing = || Trouble::refused(format!("there is no file {}", shown(key)));
    shelf.stored(key).await?.ok_or_else(missing)
}

/// What the digest of the whole says.
enum Verdict {
    /// It is the told one; nothing when none was told.
    True(Option<Digest>),
    Wrong(String),
}

/// Compares with what the other end tells; by another digest than CRC-64/NVME only where there is a file to read again.
async fn check(stored: &Stored, crc64: u64, file: Option<&Path>) -> Result<Verdict, Trouble> {
    let (told, found) = match (stored.crc64, &stored.digest, file) {
        (Some(told), _, _) => (Digest::of_crc64(told), Digest::of_crc64(crc64)),
        (None, Some(told), Some(path)) => {
            let computed =
                FileSource::open(path)?.digest(0, stored.size_bytes, Some(told.algorithm())).await?;
            // Here the CRC is that of the disk: what came, and is not there, must not be published.
            if computed.crc64 != crc64 {
                return Ok(Verdict::Wrong(format!("{} was damaged on this disk", shown(&stored.key))));
            }
            let Some(found) = computed.get(told.algorithm()) else { return Ok(Verdict::True(None)) };
            (told.clone(), found)
        }
        (None, _, _) => return Ok(Verdict::True(None)),
    };
    Ok(compare(&stored.key, told, &found))
}

fn compare(key: &str, told: Digest, found: &Digest) -> Verdict {
    if told == *found {
        return Verdict::True(Some(told));
    }
    let algorithm: Algorithm = told.algorithm();
    let (told, found) = (told.to_hex(), found.to_hex());
    Verdict::Wrong(format!(
        "{} is not what it should be: its {algorithm} should be {told} and is {found}",
        shown(key)
    ))
}

#[cfg(test)]
mod tests;
