//! Seeded lives of uploads: lines that break before, in and after a part, other ends that forget, runs that are killed, files
//! that change. Each ends in the right bytes or in a plain refusal.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use tempfile::TempDir;
use towline_core::clock::{Clock, Timestamp};
use towline_core::digest::Digester;
use towline_core::receipt::Voucher;

use super::{Failure, Options, Patience, Put, Workers};
use crate::event::{Event, FileNumber, Report, Watch};
use crate::journal::Journal;
use crate::remote::{
    Frames, Landed, Line, Order, Proof, Receipt, Remote, Shelf, Slot, State, Stored, Ticket, Upload, Whole,
};
use crate::source::{FileSource, Source, StreamSource};
use crate::trouble::Trouble;

const PART_BYTES: u64 = 700;

/// Another end in memory that fails now and then.
#[derive(Debug)]
struct Faulty(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    rng: Rng,
    /// Of ten requests, so many fail.
    faults: u32,
    has_fingerprints: bool,
    is_streaming: bool,
    uploads: BTreeMap<String, Kept>,
    objects: BTreeMap<String, Vec<u8>>,
    next_id: u32,
}

#[derive(Debug)]
struct Kept {
    key: String,
    fingerprint: String,
    total_bytes: Option<u64>,
    parts: BTreeMap<u32, Vec<u8>>,
    receipt: Option<Receipt>,
}

fn crc64(bytes: &[u8]) -> u64 {
    let mut digester = Digester::new([]);
    digester.update(bytes);
    digester.finish().crc64
}

impl Inside {
    fn fails(&mut self) -> bool {
        self.rng.u32(..10) < self.faults
    }

    fn may_fail(&mut self) -> Result<(), Trouble> {
        if !self.fails() {
            return Ok(());
        }
        let is_crowded = self.rng.bool();
        Err(Trouble::Passing { what: "the line broke".into(), is_crowded, retry_after: None })
    }

    fn upload(&self, id: &str, is_resumed: bool) -> Upload {
        let kept = &self.uploads[id];
        let landed = kept.parts.iter().map(|(number, bytes)| landed(*number, bytes)).collect();
        Upload {
            ticket: Ticket::new(id, &kept.key),
            part_bytes: PART_BYTES,
            total_bytes: kept.total_bytes,
            proof: Proof::Crc64,
            landed,
            is_resumed,
        }
    }

    fn open(&self, order: &Order) -> Option<String> {
        let is_it = |kept: &&Kept| kept.receipt.is_none() && kept.key == order.key;
        let found =
            self.uploads.iter().find(|(_, kept)| is_it(kept) && kept.fingerprint == order.fingerprint);
        found.map(|(id, _)| id.clone())
    }
}

fn landed(number: u32, bytes: &[u8]) -> Landed {
    Landed {
        number,
        size_bytes: bytes.len() as u64,
        crc64: Some(crc64(bytes)),
        md5: None,
        tag: number.to_string(),
    }
}

#[async_trait]
impl Shelf for Faulty {
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        Ok(inside.objects.get(key).map(|bytes| Stored {
            key: key.to_owned(),
            size_bytes: bytes.len() as u64,
            tag: None,
            crc64: Some(crc64(bytes)),
            digest: None,
            content_type: None,
        }))
    }

    async fn read(
        &self,
        _: &Stored,
        _: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
        Err(Trouble::refused("nothing is read here"))
    }
}

#[async_trait]
impl Remote for Faulty {
    fn name(&self) -> String {
        "memory".into()
    }

    fn whole_bytes_max(&self) -> Option<u64> {
        (!self.0.lock().unwrap().is_streaming).then_some(100)
    }

    async fn candidates(&self, order: &Order) -> Result<Vec<Upload>, Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        if inside.has_fingerprints {
            return Ok(Vec::new());
        }
        let open = inside.uploads.iter().filter(|(_, kept)| kept.receipt.is_none() && kept.key == order.key);
        Ok(open.map(|(id, _)| inside.upload(id, true)).collect())
    }

    async fn begin(&self, order: &Order) -> Result<Upload, Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        if inside.has_fingerprints
            && let Some(id) = inside.open(order)
        {
            return Ok(inside.upload(&id, true));
        }
        inside.next_id += 1;
        let id = inside.next_id.to_string();
        let kept = Kept {
            key: order.key.clone(),
            fingerprint: order.fingerprint.clone(),
            total_bytes: order.total_bytes,
            parts: BTreeMap::new(),
            receipt: None,
        };
        inside.uploads.insert(id.clone(), kept);
        Ok(inside.upload(&id, false))
    }

    async fn look(&self, ticket: &Ticket) -> Result<State, Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        Ok(match inside.uploads.get(&ticket.id) {
            None => State::Gone,
            Some(Kept { receipt: Some(receipt), .. }) => State::Sealed(receipt.clone()),
            Some(_) => State::Open(Box::new(inside.upload(&ticket.id, true))),
        })
    }

    async fn send(&self, upload: &Upload, slot: Slot, frames: Frames) -> Result<Landed, Trouble> {
        let is_cut = self.0.lock().unwrap().fails();
        if is_cut {
            return Err(Trouble::passing("cut before the body"));
        }
        let bytes = read(frames).await?;
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        if inside.rng.u32(..200) < inside.faults {
            inside.uploads.remove(&upload.ticket.id);
        }
        let kept = inside.uploads.get_mut(&upload.ticket.id).filter(|kept| kept.receipt.is_none());
        let kept = kept.ok_or_else(|| Trouble::gone("it has expired"))?;
        assert_eq!(bytes.len() as u64, slot.size_bytes);
        kept.parts.insert(slot.number, bytes.clone());
        inside.may_fail()?;
        Ok(landed(slot.number, &bytes))
    }

    async fn send_whole(&self, order: &Order, frames: Frames) -> Result<Receipt, Trouble> {
        let bytes = read(frames).await?;
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        let receipt = receipt(&order.key, &bytes, 1);
        inside.objects.insert(order.key.clone(), bytes);
        inside.may_fail()?;
        Ok(receipt)
    }

    async fn declare(&self, upload: &Upload, total_bytes: u64) -> Result<(), Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        let kept = inside.uploads.get_mut(&upload.ticket.id).ok_or_else(|| Trouble::gone("expired"))?;
        kept.total_bytes = Some(total_bytes);
        Ok(())
    }

    async fn finish(&self, upload: &Upload, parts: &[Landed], whole: Whole) -> Result<Receipt, Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        let kept = inside.uploads.get_mut(&upload.ticket.id).ok_or_else(|| Trouble::gone("expired"))?;
        if let Some(receipt) = &kept.receipt {
            return Ok(receipt.clone());
        }
        if kept.parts.len() != parts.len() {
            return Err(Trouble::gone("parts are missing"));
        }
        let bytes: Vec<u8> = kept.parts.values().flatten().copied().collect();
        assert_eq!(whole, Whole { total_bytes: bytes.len() as u64, crc64: crc64(&bytes) });
        let receipt = receipt(&kept.key, &bytes, parts.len());
        kept.receipt = Some(receipt.clone());
        inside.objects.insert(receipt.key.clone(), bytes);
        inside.may_fail()?;
        Ok(receipt)
    }

    async fn abort(&self, ticket: &Ticket) -> Result<(), Trouble> {
        let mut inside = self.0.lock().unwrap();
        inside.may_fail()?;
        inside.uploads.remove(&ticket.id);
        Ok(())
    }

    async fn unfinished(&self, _: &str, _: usize) -> Result<Vec<Line>, Trouble> {
        Ok(Vec::new())
    }
}

async fn read(frames: Frames) -> Result<Vec<u8>, Trouble> {
    let read: Result<Vec<Bytes>, _> = frames.stream.try_collect().await;
    let bytes = read.map_err(|error| Trouble::passing(error.to_string()))?.concat();
    frames.sent.tell(bytes.len() as u64);
    Ok(bytes)
}

fn receipt(key: &str, bytes: &[u8], part_count: usize) -> Receipt {
    Receipt {
        key: key.to_owned(),
        size_bytes: bytes.len() as u64,
        part_count: part_count.try_into().unwrap(),
        crc64: Some(crc64(bytes)),
        voucher: Voucher::Towline,
        location: String::new(),
    }
}

#[derive(Debug)]
struct Unseen;

impl Watch for Unseen {
    fn see(&self, _: FileNumber, _: Event<'_>) {}
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

/// One file, one other end, and as many runs as it takes.
struct Life {
    rng: Rng,
    folder: TempDir,
    remote: Arc<Faulty>,
    content: Vec<u8>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let size_bytes = rng.usize(..8000);
        let content = (0..size_bytes).map(|_| rng.u8(..)).collect();
        let inside = Inside {
            rng: rng.fork(),
            faults: rng.u32(..4),
            has_fingerprints: rng.bool(),
            is_streaming: rng.bool(),
            uploads: BTreeMap::new(),
            objects: BTreeMap::new(),
            next_id: 0,
        };
        let folder = tempfile::tempdir().unwrap();
        let life = Self { rng, folder, remote: Arc::new(Faulty(Mutex::new(inside))), content };
        life.write();
        life
    }

    fn write(&self) {
        let path = self.folder.path().join("a.bin");
        let mut file =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
        file.write_all(&self.content).unwrap();
        file.set_len(self.content.len() as u64).unwrap();
    }

    fn put(&self, has_journal: bool) -> Put {
        let workers =
            if self.content.len().is_multiple_of(2) { Workers::Adaptive } else { Workers::Fixed(3) };
        let journal = has_journal.then(|| Journal::open(self.folder.path().join("journal")).unwrap());
        let options = Options {
            workers,
            patience: Patience { tries: 12, ..Patience::default() },
            stop_at: None,
            journal,
            place: serde_json::Value::Null,
            clock: Arc::new(Still),
        };
        Put::new(Arc::clone(&self.remote) as _, Arc::new(Unseen), options)
    }

    /// A run that is killed after some time, or lives to its end.
    async fn run(&mut self, lifetime: Duration) -> Option<Result<Report, Failure>> {
        let has_journal = self.rng.u32(..4) > 0;
        let put = self.put(has_journal);
        let file = FileSource::open(&self.folder.path().join("a.bin")).unwrap();
        let fingerprint = crate::fingerprint::fingerprint(&file, "a").await.unwrap();
        let order = order(Some(file.size_bytes()), fingerprint);
        let run = Box::pin(put.run(FileNumber(0), Source::File(file), order));
        // Whoever uses the library may hand it to a task of its own.
        let run: std::pin::Pin<Box<dyn Future<Output = _> + Send + '_>> = run;
        tokio::time::timeout(lifetime, run).await.ok()
    }

    fn object(&self) -> Option<Vec<u8>> {
        self.remote.0.lock().unwrap().objects.get("a").cloned()
    }
}

fn order(total_bytes: Option<u64>, fingerprint: String) -> Order {
    Order {
        key: "a".into(),
        filename: "a.bin".into(),
        total_bytes,
        part_bytes: None,
        content_type: None,
        metadata: BTreeMap::new(),
        fingerprint,
    }
}

#[tokio::test(start_paused = true)]
async fn every_life_ends_in_the_right_bytes() {
    for seed in 0..300 {
        let mut life = Life::new(seed);
        let mut runs = 0;
        let report = loop {
            runs += 1;
            assert!(runs < 200, "seed {seed} does not end");
            let lifetime = Duration::from_millis(life.rng.u64(..20_000));
            if let Some(Ok(report)) = Box::pin(life.run(lifetime)).await {
                break report;
            }
            // The file changes between two runs: its end, or a byte in the middle.
            if life.rng.u32(..3) == 0 {
                let at = life.rng.usize(..=life.content.len());
                if life.rng.bool() {
                    life.content.truncate(at);
                } else if let Some(byte) = life.content.get_mut(at) {
                    *byte = byte.wrapping_add(1);
                }
                life.write();
            }
        };
        assert_eq!(life.object().as_ref(), Some(&life.content), "seed {seed}");
        assert_eq!(report.crc64, crc64(&life.content), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_in_the_right_bytes_or_in_a_refusal() {
    let mut ends = 0;
    for seed in 0..200 {
        let mut life = Life::new(seed);
        let put = life.put(true);
        for _ in 0..6 {
            let stream = StreamSource::from("stream", std::io::Cursor::new(life.content.clone()));
            let order = order(None, "stream".into());
            let run = Box::pin(put.run(FileNumber(0), Source::Stream(stream), order));
            let lifetime = Duration::from_millis(life.rng.u64(..20_000));
            if let Ok(Ok(report)) = tokio::time::timeout(lifetime, run).await {
                ends += 1;
                assert_eq!(life.object().as_ref(), Some(&life.content), "seed {seed}");
                assert_eq!(report.crc64, crc64(&life.content), "seed {seed}");
            }
            let size_bytes = life.rng.usize(..=life.content.len());
            life.content.truncate(size_bytes);
        }
    }
    assert!(ends > 300, "{ends} of 1,200");
}

/// Writes into the file as soon as its first part has landed.
#[derive(Debug)]
struct Meddler(std::path::PathBuf);

impl Watch for Meddler {
    fn see(&self, _: FileNumber, event: Event<'_>) {
        if let Event::Landed { number: 1, .. } = event {
            let mut content = std::fs::read(&self.0).unwrap();
            content[0] = content[0].wrapping_add(1);
            std::fs::write(&self.0, content).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_while_it_is_read_is_not_made_visible() {
    let life = Life::new(7);
    life.remote.0.lock().unwrap().faults = 0;
    let path = life.folder.path().join("a.bin");
    let mut put = life.put(true);
    put.watch = Arc::new(Meddler(path.clone()));
    let total_bytes = life.content.len() as u64;
    let run = |put: Put| {
        let file = Source::File(FileSource::open(&path).unwrap());
        async move { Box::pin(put.run(FileNumber(0), file, order(Some(total_bytes), "f".into()))).await }
    };
    let failed = run(put).await;
    assert!(matches!(&failed, Err(Failure::Trouble(Trouble::Source { .. }))), "{failed:?}");
    assert_eq!(life.object(), None);
    run(life.put(true)).await.unwrap();
    assert_eq!(life.object(), Some(std::fs::read(&path).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_has_landed_is_not_sent_again_after_a_stop_on_purpose() {
    let life = Life::new(7);
    {
        let mut inside = life.remote.0.lock().unwrap();
        (inside.faults, inside.has_fingerprints) = (0, true);
    }
    let mut put = life.put(true);
    put.options.stop_at = Some(0.6);
    let open = || FileSource::open(&life.folder.path().join("a.bin")).unwrap();
    let total_bytes = life.content.len() as u64;
    assert!(total_bytes > 3 * PART_BYTES);
    let stopped = put.run(FileNumber(0), Source::File(open()), order(Some(total_bytes), "f".into())).await;
    let Err(Failure::Stopped { sent_bytes, .. }) = stopped else { panic!("{stopped:?}") };
    assert!(sent_bytes * 10 >= total_bytes * 6 && sent_bytes < total_bytes, "{sent_bytes} of {total_bytes}");
    // From another machine: without the journal.
    let put = life.put(false);
    let run = put.run(FileNumber(0), Source::File(open()), order(Some(total_bytes), "f".into()));
    let report = Box::pin(run).await.unwrap();
    assert_eq!((report.kept_bytes, report.sent_bytes), (sent_bytes, total_bytes - sent_bytes));
    assert_eq!(life.object().as_ref(), Some(&life.content));
}
