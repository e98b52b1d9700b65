//! Reads a range over a line that breaks: each byte comes out once and in order, however often the line is made again.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::time::{sleep, timeout};

use super::Options;
use crate::event::{Event, FileNumber, Watch};
use crate::remote::{Shelf, Slot, Stored};
use crate::trouble::Trouble;

/// Who has brought so much since the last failure begins with new tries.
const WORTH_BYTES: u64 = 256 * 1024;

/// One file that is read.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    shelf: &'a dyn Shelf,
    pub(crate) watch: &'a dyn Watch,
    options: Options,
    pub(crate) number: FileNumber,
    pub(crate) stored: &'a Stored,
    received_bytes: AtomicU64,
    kept_bytes: AtomicU64,
    retries: AtomicU64,
}

impl<'a> Job<'a> {
    pub(crate) fn new(
        (shelf, watch): (&'a dyn Shelf, &'a dyn Watch),
        options: Options,
        (number, stored): (FileNumber, &'a Stored),
    ) -> Self {
        let [received_bytes, kept_bytes, retries] = [const { AtomicU64::new(0) }; 3];
        Self { shelf, watch, options, number, stored, received_bytes, kept_bytes, retries }
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes.load(Ordering::Relaxed)
    }

    /// So much is here from before, and as it should be.
    pub(crate) fn keep(&self, bytes: u64, parts: u32) {
        self.kept_bytes.store(bytes, Ordering::Relaxed);
        self.watch.see(self.number, Event::Kept { bytes, parts });
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self, slot: Slot) -> Reading<'_> {
        let end = slot.offset_bytes + slot.size_bytes;
        Reading { job: self, slot, at: slot.offset_bytes, end, failures: 0, since_bytes: 0, stream: None }
    }
}

/// A range on its way.
pub(crate) struct Reading<'a> {
    job: &'a Job<'a>,
    slot: Slot,
    at: u64,
    end: u64,
    failures: u32,
    since_bytes: u64,
    stream: Option<BoxStream<'static, Result<Bytes, Trouble>>>,
}

impl Reading<'_> {
    /// The next bytes; nothing once all of them came.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        while self.at < self.end {
            match self.attempt().await {
                Ok(frame) => {
                    let bytes = frame.len() as u64;
                    self.at += bytes;
                    self.since_bytes = self.since_bytes.saturating_add(bytes);
                    self.job.received_bytes.fetch_add(bytes, Ordering::Relaxed);
                    self.job.watch.see(self.job.number, Event::Sent { bytes });
                    return Ok(Some(frame));
                }
                Err(trouble) => {
                    self.stream = None;
                    self.pause(trouble).await?;
                }
            }
        }
        Ok(None)
    }

    async fn attempt(&mut self) -> Result<Bytes, Trouble> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.job.shelf.read(self.job.stored, self.at..self.end).await?),
        };
        loop {
            let silence = self.job.options.silence;
            let Ok(frame) = timeout(silence, stream.next()).await else {
                return Err(Trouble::passing(format!("no byte came for {} s", silence.as_secs())));
            };
            let rest = self.end - self.at;
            match frame {
                Some(Ok(frame)) if frame.is_empty() => {}
                Some(Ok(frame)) if frame.len() as u64 > rest => {
                    return Err(Trouble::refused("the other end sends more bytes than it was asked for"));
                }
                Some(Ok(frame)) => return Ok(frame),
                Some(Err(trouble)) => return Err(trouble),
                None => return Err(Trouble::passing(format!("the line broke with {rest} bytes to come"))),
            }
        }
    }

    /// Waits for the next try, if there is to be one.
    async fn pause(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let Trouble::Passing { what, retry_after, .. } = &trouble else { return Err(trouble) };
        if self.at > 0 && !self.job.shelf.has_ranges() {
            return Err(trouble);
        }
        if self.since_bytes >= WORTH_BYTES {
            self.failures = 0;
        }
        self.since_bytes = 0;
        self.failures += 1;
        let wait = self.job.options.patience.wait(self.failures, *retry_after, fastrand::f64());
        let Some(wait) = wait else { return Err(trouble) };
        self.job.retries.fetch_add(1, Ordering::Relaxed);
        let (number, tries) = (self.slot.number, self.failures);
        self.job.watch.see(self.job.number, Event::Retrying { number, tries, wait, why: what });
        sleep(wait).await;
        Ok(())
    }
}
