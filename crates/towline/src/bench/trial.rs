//! One upload: its parts are sent, so many at once, and then it is given up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep};
use towline_client::put::Patience;
use towline_client::remote::{Frames, Order, Remote, Sent, Slot, Upload};
use towline_client::trouble::Trouble;

use super::memory::Peak;
use super::{Case, Noise, Run};
use crate::bench::course::Screen;
use crate::clock::random;

/// How many unfinished uploads are looked for at the end; there is at most one of each try.
const LEFT_MAX: usize = 100;

/// Where uploads go to. All of their keys begin alike, and nobody else's do.
#[derive(Debug)]
pub(super) struct Track {
    remote: Arc<dyn Remote>,
    prefix: String,
}

impl Track {
    pub(super) fn new(remote: Arc<dyn Remote>, key: &str) -> Self {
        let run = format!("{:016x}", u64::from_be_bytes(random()));
        let between = if key.is_empty() || key.ends_with('/') { "" } else { "/" };
        Self { remote, prefix: format!("{key}{between}towline-bench/{run}/") }
    }

    /// How large parts become that are wished to be so large.
    pub(super) async fn granted(&self, part_bytes: u64, total_bytes: u64) -> Result<u64, Trouble> {
        let upload = Box::pin(self.begin(part_bytes, total_bytes)).await?;
        Box::pin(self.remote.abort(&upload.ticket)).await?;
        Ok(upload.part_bytes)
    }

    /// Sends an upload's parts and gives it up.
    pub(super) async fn run(&self, noise: &Noise, case: Case, screen: &Screen) -> Result<Run, Trouble> {
        let upload = Box::pin(self.begin(case.part_bytes, noise.size_bytes)).await?;
        if upload.part_bytes != case.part_bytes {
            let (granted, before) = (upload.part_bytes, case.part_bytes);
            return Err(Trouble::refused(format!(
                "parts of {granted} bytes were granted, and of {before} before"
            )));
        }
        let peak = Peak::begin();
        let began_at = Instant::now();
        let failed_tries = AtomicU64::new(0);
        let sends = stream::iter(upload.slots(noise.size_bytes)).map(|slot| {
            let sending = Sending { upload: &upload, noise, screen, failed_tries: &failed_tries };
            Box::pin(self.send(sending, slot))
        });
        let mut parts: Vec<Duration> = sends.buffer_unordered(case.workers).try_collect().await?;
        let (took, peak_bytes) = (began_at.elapsed(), peak.bytes());
        Box::pin(self.remote.abort(&upload.ticket)).await?;
        parts.sort_unstable();
        Ok(Run {
            took,
            median_part: parts.get(parts.len() / 2).copied().unwrap_or_default(),
            slowest_part: parts.last().copied().unwrap_or_default(),
            peak_bytes,
            failed_tries: failed_tries.into_inner(),
        })
    }

    /// Gives up whatever is left of a course that was broken off.
    pub(super) async fn clear(&self) -> Result<(), Trouble> {
        for line in Box::pin(self.remote.unfinished(&self.prefix, LEFT_MAX)).await? {
            Box::pin(self.remote.abort(&line.ticket)).await?;
        }
        Ok(())
    }

    async fn begin(&self, part_bytes: u64, total_bytes: u64) -> Result<Upload, Trouble> {
        let name = format!("{:016x}", u64::from_be_bytes(random()));
        let order = Order {
            key: format!("{}{name}", self.prefix),
            filename: name.clone(),
            total_bytes: Some(total_bytes),
            part_bytes: Some(part_bytes),
            content_type: None,
            metadata: BTreeMap::new(),
            // Of its own, so that no upload is found again.
            fingerprint: format!("towline-bench-{name}"),
        };
        self.remote.begin(&order).await
    }

    /// One part, until it has landed.
    async fn send(&self, sending: Sending<'_>, slot: Slot) -> Result<Duration, Trouble> {
        let began_at = Instant::now();
        let mut failures = 0;
        loop {
            let (frames, sent_bytes) = sending.frames(slot);
            let Err(trouble) = Box::pin(self.remote.send(sending.upload, slot, frames)).await else {
                return Ok(began_at.elapsed());
            };
            sending.screen.lost(sent_bytes.load(Ordering::Relaxed));
            let Trouble::Passing { retry_after, .. } = &trouble else { return Err(trouble) };
            failures += 1;
            sending.failed_tries.fetch_add(1, Ordering::Relaxed);
            let wait = Patience::default().wait(failures, *retry_after, fastrand::f64());
            sleep(wait.ok_or(trouble)?).await;
        }
    }
}

/// What all parts of an upload share.
#[derive(Clone, Copy, Debug)]
struct Sending<'a> {
    upload: &'a Upload,
    noise: &'a Noise,
    screen: &'a Screen,
    failed_tries: &'a AtomicU64,
}

impl Sending<'_> {
    /// A part's bytes, and how many of them went out.
    fn frames(&self, slot: Slot) -> (Frames, Arc<AtomicU64>) {
        let frames = self.noise.source.frames(slot.offset_bytes, slot.size_bytes);
        let sent_bytes = Arc::new(AtomicU64::new(0));
        let (counter, screen) = (Arc::clone(&sent_bytes), self.screen.clone());
        let sent = Sent::new(move |bytes| {
            counter.fetch_add(bytes, Ordering::Relaxed);
            screen.sent(bytes);
        });
        (Frames { sent, ..frames }, sent_bytes)
    }
}
