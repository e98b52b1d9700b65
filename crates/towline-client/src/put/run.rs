//! One file from its beginning to its receipt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;
use towline_core::crc64::Joined;
use towline_core::receipt::Voucher;

use super::compare::{Kept, begins_alike, compare};
use super::sending::insist;
use super::{Failure, Put};
use crate::event::{Event, FileNumber, Report};
use crate::journal::{Broken, Entry, Errand, Hold, NoHold};
use crate::remote::{Frames, Landed, Order, Receipt, Slot, State, Ticket, Upload, Whole};
use crate::source::{FileSource, Source};
use crate::trouble::Trouble;

/// What a disk store takes; S3 takes fewer. More of them would be a list that no memory holds.
const PARTS_MAX: u64 = 100_000;
/// How often an upload that went away, or that lacks parts at its end, is looked for again.
const ROUNDS: u32 = 4;

/// What it took.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent_bytes: Arc<AtomicU64>,
    pub(super) kept_bytes: AtomicU64,
    pub(super) retries: AtomicU64,
}

/// One file on its way through a [`Put`].
pub(super) struct Run<'a> {
    pub(super) put: &'a Put,
    pub(super) number: FileNumber,
    pub(super) order: Order,
    /// The upload that has to be gone on with, whatever the journal says.
    pub(super) asked: Option<Ticket>,
    errand: Errand,
    began_at: Instant,
    pub(super) tally: Tally,
}

/// What there is of a file at the other end.
enum Found {
    Open(Upload, Kept),
    Sealed(Receipt, Whole),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        put: &'a Put,
        number: FileNumber,
        (order, asked): (Order, Option<Ticket>),
        source: &Source,
    ) -> Self {
        let errand = put.errand(&order.key, source);
        Self { put, number, order, asked, errand, began_at: Instant::now(), tally: Tally::default() }
    }

    /// Keeps other processes from sending the same file.
    pub(super) fn hold(&self) -> Result<Option<Hold>, Failure> {
        let Some(journal) = &self.put.options.journal else { return Ok(None) };
        match journal.hold(&self.errand) {
            Ok(hold) => Ok(Some(hold)),
            Err(NoHold::Busy { pid }) => Err(Failure::Busy { pid }),
            Err(NoHold::Broken(broken)) => {
                self.note_fault("lock", Err(broken));
                Ok(None)
            }
        }
    }

    pub(super) async fn send(&self, source: Source) -> Result<Report, Failure> {
        match source {
            Source::File(file) => Box::pin(self.send_file(&file)).await,
            Source::Stream(stream) => Box::pin(self.send_stream(stream)).await,
        }
    }

    async fn send_file(&self, file: &FileSource) -> Result<Report, Failure> {
        let fits = self.put.remote.whole_bytes_max().is_some_and(|most| file.size_bytes() <= most);
        if fits && self.asked.is_none() && self.entry().is_none() {
            return Ok(Box::pin(self.send_at_once(file)).await?);
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            match Box::pin(self.round(file, rounds == 1)).await {
                // It went away meanwhile, or lacks parts at its end: what has landed stays.
                Err(Failure::Trouble(Trouble::Gone { what })) if rounds < ROUNDS => {
                    self.put.watch.see(self.number, Event::Note { what: &what });
                }
                ended => return ended,
            }
        }
    }

    /// A file that is too small to be cut: it is whole in memory, and still the same, before anything is sent.
    async fn send_at_once(&self, file: &FileSource) -> Result<Report, Trouble> {
        let _turn = self.put.pace.turn().await;
        let size_bytes = file.size_bytes();
        let began = Event::Began {
            ticket: None,
            total_bytes: Some(size_bytes),
            part_bytes: size_bytes,
            is_resumed: false,
        };
        self.put.watch.see(self.number, began);
        let read: Result<Vec<Bytes>, _> = file.frames(0, size_bytes).stream.try_collect().await;
        let bytes = read.map_err(|error| Trouble::source(format!("the file cannot be read: {error}")))?;
        file.check_unchanged()?;
        let frames = || Frames::new(size_bytes, stream::iter(bytes.clone().into_iter().map(Ok)));
        let crc64 = {
            let mut digester = towline_core::digest::Digester::new([]);
            for frame in &bytes {
                digester.update(frame);
            }
            digester.finish().crc64
        };
        let send = |frames| self.put.remote.send_whole(&self.order, frames);
        let receipt = insist((self.put, &self.tally), (self.number, 1), frames, send).await?;
        self.put.watch.see(self.number, Event::Landed { number: 1, size_bytes });
        self.report(receipt, Whole { total_bytes: size_bytes, crc64 })
    }

    /// What a later round finds there was sent by an earlier one.
    async fn round(&self, file: &FileSource, is_first: bool) -> Result<Report, Failure> {
        let (upload, kept) = match Box::pin(self.find(file)).await? {
            Found::Open(upload, kept) => (upload, kept),
            Found::Sealed(receipt, whole) => return Ok(self.was_there(receipt, whole)?),
        };
        check_count(file.size_bytes().div_ceil(upload.part_bytes.max(1)))?;
        self.remember(&upload);
        self.began(&upload);
        let kept_bytes = self.see_kept(kept.values());
        if is_first {
            self.tally.kept_bytes.store(kept_bytes, Ordering::Relaxed);
        }
        let landed = Box::pin(self.send_missing(file, &upload, kept)).await?;
        file.check_unchanged()?;
        Ok(Box::pin(self.finish(&upload, &landed, file.size_bytes())).await?)
    }

    pub(super) fn began(&self, upload: &Upload) {
        let Upload { ticket, total_bytes, part_bytes, is_resumed, .. } = upload;
        self.put.watch.see(
            self.number,
            Event::Began {
                ticket: Some(ticket),
                total_bytes: self.order.total_bytes.or(*total_bytes),
                part_bytes: *part_bytes,
                is_resumed: *is_resumed,
            },
        );
        self.put.watch.see(self.number, Event::Workers { count: self.put.pace.limit() });
    }

    pub(super) fn see_kept<'p>(&self, parts: impl Iterator<Item = &'p Landed>) -> u64 {
        let (bytes, parts) = parts.fold((0, 0), |(bytes, parts), part| (bytes + part.size_bytes, parts + 1));
        if parts > 0 {
            self.put.watch.see(self.number, Event::Kept { bytes, parts });
        }
        bytes
    }

    /// By its ticket, by its content, or a new one.
    async fn find(&self, file: &FileSource) -> Result<Found, Failure> {
        let remote = &self.put.remote;
        let sealed = match Box::pin(self.find_by_ticket()).await? {
            Some(State::Open(upload)) => {
                let kept = Box::pin(compare(self.put, self.number, file, &upload)).await?;
                return Ok(Found::Open(*upload, kept));
            }
            Some(State::Sealed(receipt)) => Some(Some(receipt)),
            // A bucket forgets an upload with its end.
            Some(State::Gone) => Some(None),
            None => None,
        };
        if let Some(receipt) = sealed {
            let there = Box::pin(self.is_there(file, receipt)).await?;
            self.forget();
            match (there, &self.asked) {
                (Some((receipt, whole)), _) => return Ok(Found::Sealed(receipt, whole)),
                (None, Some(ticket)) => {
                    let what = format!("upload {} has ended, and was of another file", ticket.id);
                    return Err(Trouble::refused(what).into());
                }
                (None, None) => {}
            }
        }
        let mut best: Option<(Upload, Kept)> = None;
        for upload in remote.candidates(&self.order).await? {
            if !Box::pin(begins_alike(file, &upload)).await? {
                continue;
            }
            let kept = Box::pin(compare(self.put, self.number, file, &upload)).await?;
            if best.as_ref().is_none_or(|(_, most)| most.len() < kept.len()) {
                best = Some((upload, kept));
            }
        }
        if let Some((upload, kept)) = best {
            return Ok(Found::Open(upload, kept));
        }
        let upload = remote.begin(&self.order).await?;
        let kept = Box::pin(compare(self.put, self.number, file, &upload)).await?;
        Ok(Found::Open(upload, kept))
    }

    /// The upload that was asked for, or that the journal knows. One that is of another size is of no use.
    pub(super) async fn find_by_ticket(&self) -> Result<Option<State>, Failure> {
        let remote = &self.put.remote;
        if let Some(ticket) = &self.asked {
            let state = remote.look(ticket).await?;
            return match &state {
                State::Gone => Err(Trouble::refused(format!("there is no upload {}", ticket.id)).into()),
                State::Open(upload) if upload.total_bytes.is_some_and(|bytes| self.is_other_size(bytes)) => {
                    Err(Trouble::refused(format!("upload {} is of a file of another size", ticket.id)).into())
                }
                State::Open(_) | State::Sealed(_) => Ok(Some(state)),
            };
        }
        let Some(entry) = self.entry() else { return Ok(None) };
        if entry.total_bytes != self.order.total_bytes {
            // The file is another now. What is there of the old one would stay for nothing.
            if let Err(trouble) = remote.abort(&entry.ticket).await {
                let what = format!("the upload of the file as it was before stays: {trouble}");
                self.put.watch.see(self.number, Event::Note { what: &what });
            }
            self.forget();
            return Ok(None);
        }
        Ok(Some(remote.look(&entry.ticket).await?))
    }

    fn is_other_size(&self, bytes: u64) -> bool {
        self.order.total_bytes.is_some_and(|total_bytes| total_bytes != bytes)
    }

    /// Whether an earlier run had it finished, and did not live to hear of it or to say so. What lies under the key counts:
    /// it may have been replaced since. Where that cannot be looked at, the upload's receipt has to do.
    async fn is_there(
        &self,
        file: &FileSource,
        sealed: Option<Receipt>,
    ) -> Result<Option<(Receipt, Whole)>, Trouble> {
        let remote = &self.put.remote;
        let (size_bytes, crc64) = match (remote.stored(&self.order.key).await, &sealed) {
            (Ok(Some(stored)), _) => (stored.size_bytes, stored.crc64),
            (Err(Trouble::Refused { .. }), Some(receipt)) => (receipt.size_bytes, receipt.crc64),
            (Ok(None) | Err(Trouble::Refused { .. }), _) => return Ok(None),
            (Err(trouble), _) => return Err(trouble),
        };
        let total_bytes = file.size_bytes();
        if size_bytes != total_bytes || crc64.is_none() {
            return Ok(None);
        }
        let computed = Box::pin(file.digest(0, total_bytes, None)).await?;
        file.check_unchanged()?;
        if crc64 != Some(computed.crc64) {
            return Ok(None);
        }
        let receipt = sealed.unwrap_or_else(|| Receipt {
            key: self.order.key.clone(),
            size_bytes,
            part_count: 0,
            crc64,
            voucher: Voucher::Store,
            location: format!("{} in {}", self.order.key, remote.name()),
        });
        Ok(Some((receipt, Whole { total_bytes, crc64: computed.crc64 })))
    }

    fn was_there(&self, receipt: Receipt, whole: Whole) -> Result<Report, Trouble> {
        self.tally.kept_bytes.store(whole.total_bytes, Ordering::Relaxed);
        let Receipt { part_count, .. } = receipt;
        self.put.watch.see(self.number, Event::Kept { bytes: whole.total_bytes, parts: part_count });
        self.report(receipt, whole)
    }

    /// Sends what is not there, as many parts at once as there are turns.
    async fn send_missing(
        &self,
        file: &FileSource,
        upload: &Upload,
        mut landed: Kept,
    ) -> Result<Kept, Failure> {
        let total_bytes = file.size_bytes();
        let stop = self.stop_bytes(total_bytes);
        let mut begun_bytes: u64 = landed.values().map(|part| part.size_bytes).sum();
        let missing: Vec<Slot> =
            upload.slots(total_bytes).filter(|slot| !landed.contains_key(&slot.number)).collect();
        let mut missing = missing.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut turn = Box::pin(self.put.pace.turn());
        loop {
            let is_more = missing.len() > usize::from(stop < total_bytes) && begun_bytes < stop;
            tokio::select! {
                taken = &mut turn, if is_more => {
                    turn.set(self.put.pace.turn());
                    let Some(slot) = missing.next() else { continue };
                    begun_bytes += slot.size_bytes;
                    under_way.push(async move {
                        let _taken = taken;
                        let frames = || file.frames(slot.offset_bytes, slot.size_bytes);
                        Box::pin(self.send_part(upload, slot, frames)).await
                    });
                }
                Some(sent) = under_way.next() => {
                    let part = sent?;
                    landed.insert(part.number, part);
                }
                else => break,
            }
        }
        if missing.len() > 0 {
            let sent_bytes = landed.values().map(|part| part.size_bytes).sum();
            return Err(Failure::Stopped { ticket: upload.ticket.clone(), sent_bytes, total_bytes });
        }
        Ok(landed)
    }

    /// Where to break off on purpose. The last part is not sent then, however large it is.
    fn stop_bytes(&self, total_bytes: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of the file need not be exact"
        )]
        let stop = |share: f64| (total_bytes as f64 * share) as u64;
        self.put.options.stop_at.map_or(u64::MAX, stop)
    }

    pub(super) async fn send_part(
        &self,
        upload: &Upload,
        slot: Slot,
        frames: impl Fn() -> Frames,
    ) -> Result<Landed, Trouble> {
        let send = |frames| self.put.remote.send(upload, slot, frames);
        let part = insist((self.put, &self.tally), (self.number, slot.number), frames, send).await?;
        let Slot { number, size_bytes, .. } = slot;
        self.put.watch.see(self.number, Event::Landed { number, size_bytes });
        Ok(part)
    }

    pub(super) async fn finish(
        &self,
        upload: &Upload,
        landed: &Kept,
        total_bytes: u64,
    ) -> Result<Report, Trouble> {
        let mut joined = Joined::default();
        for part in landed.values() {
            let crc64 = part.crc64.ok_or_else(|| Trouble::refused("a part landed without a digest"))?;
            joined.push(crc64, part.size_bytes);
        }
        let whole = Whole { total_bytes, crc64: joined.crc64() };
        self.put.watch.see(self.number, Event::Finishing);
        let parts: Vec<Landed> = landed.values().cloned().collect();
        let receipt = self.put.remote.finish(upload, &parts, whole).await?;
        let report = self.report(receipt, whole)?;
        self.forget();
        Ok(report)
    }

    /// Only what is there as it was read here is reported.
    fn report(&self, receipt: Receipt, whole: Whole) -> Result<Report, Trouble> {
        let is_same =
            receipt.size_bytes == whole.total_bytes && receipt.crc64.is_none_or(|crc64| crc64 == whole.crc64);
        if !is_same {
            let what = format!("what is stored as {} is not what was sent", receipt.key);
            return Err(Trouble::refused(what).hint("someone else may have written to it: send it again"));
        }
        Ok(Report {
            receipt,
            crc64: whole.crc64,
            took: self.began_at.elapsed(),
            sent_bytes: self.tally.sent_bytes.load(Ordering::Relaxed),
            kept_bytes: self.tally.kept_bytes.load(Ordering::Relaxed),
            retries: self.tally.retries.load(Ordering::Relaxed),
        })
    }

    fn entry(&self) -> Option<Entry> {
        self.put.options.journal.as_ref()?.find(&self.errand)
    }

    /// Before the first part: whatever happens from here on, the upload is found again.
    pub(super) fn remember(&self, upload: &Upload) {
        let Some(journal) = &self.put.options.journal else { return };
        // A single part is sent again as a whole, and a server knows its fingerprint. A bucket's upload would stay for ever.
        let is_single = self.order.total_bytes.is_some_and(|total_bytes| total_bytes <= upload.part_bytes);
        if is_single && self.put.remote.whole_bytes_max().is_none() {
            return;
        }
        let entry = Entry {
            ticket: upload.ticket.clone(),
            errand: self.errand.clone(),
            place: self.put.options.place.clone(),
            total_bytes: self.order.total_bytes,
            begun_at: self.put.options.clock.now(),
        };
        self.note_fault("write", journal.write(&entry));
    }

    pub(super) fn forget(&self) {
        let Some(journal) = &self.put.options.journal else { return };
        self.note_fault("clear", journal.remove(&self.errand));
    }

    /// A journal that does not work makes a resume harder, and the upload no worse.
    fn note_fault(&self, doing: &str, done: Result<(), Broken>) {
        if let Err(broken) = done {
            let what = format!("cannot {doing} the journal: {broken}");
            self.put.watch.see(self.number, Event::Note { what: &what });
        }
    }
}

/// Whoever is asked decides how a file is cut, and may be wrong.
pub(super) fn check_count(parts: u64) -> Result<(), Trouble> {
    if parts <= PARTS_MAX {
        return Ok(());
    }
    let what = format!("the other end cuts this file into {parts} parts, and {PARTS_MAX} is the most");
    Err(Trouble::refused(what).hint("use larger parts: --part-size"))
}
