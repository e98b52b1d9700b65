//! One way of a connection: bytes leave by the rate, are under way for a while, and arrive in order.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::WriteHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use super::End;
use crate::chaos::Tally;
use crate::chaos::tally::Count;
use crate::chaos::way::{Trunk, Way};

/// So many parcels are under way at most, however small they are.
const PARCELS_MAX: usize = 1024;

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    Close,
    BreakOff,
}

#[derive(Debug)]
struct Parcel {
    arrives_at: Instant,
    content: Content,
    /// Its place in the window. What is made up here has none.
    _room: Option<OwnedSemaphorePermit>,
}

/// Where parcels are put in.
#[derive(Clone, Debug)]
pub(super) struct Inlet {
    parcels: mpsc::Sender<Parcel>,
    window: Arc<Semaphore>,
    window_bytes: u32,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Outlet(mpsc::Receiver<Parcel>);

pub(super) fn open(window_bytes: u64) -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(PARCELS_MAX);
    let window_bytes = u32::try_from(window_bytes).unwrap_or(u32::MAX).max(1);
    let permits = usize::try_from(window_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
    let window = Arc::new(Semaphore::new(permits));
    (Inlet { parcels: sender, window, window_bytes }, Outlet(receiver))
}

impl Inlet {
    async fn put(&self, content: Content, arrives_at: Instant) {
        let room = match &content {
            Content::Bytes(bytes) => {
                let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(self.window_bytes);
                Arc::clone(&self.window).acquire_many_owned(size).await.ok()
            }
            Content::Close | Content::BreakOff => None,
        };
        // Nobody takes it out any more when the writer has ended, and with it the way.
        self.parcels.send(Parcel { arrives_at, content, _room: room }).await.ok();
    }

    /// The last words of this way, of ours.
    pub(super) async fn answer(&self, reply: Bytes, arrives_at: Instant) {
        self.put(Content::Bytes(reply), arrives_at).await;
        self.put(Content::Close, arrives_at).await;
    }
}

/// Where a reader sends what it read.
#[derive(Debug)]
pub(super) struct Lane<'a> {
    way: Way,
    trunk: &'a Trunk,
    inlet: Inlet,
    tally: &'a Tally,
    arrives_at: Instant,
}

impl<'a> Lane<'a> {
    pub(super) fn new(way: Way, trunk: &'a Trunk, inlet: Inlet, tally: &'a Tally) -> Self {
        Self { way, trunk, inlet, tally, arrives_at: Instant::now() }
    }

    /// Lets bytes leave; back when the next ones can.
    pub(super) async fn send(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let left_at = self.pass(bytes.len() as u64);
        self.inlet.put(Content::Bytes(bytes), self.arrives_at).await;
        wait_until(left_at).await;
    }

    /// Lets bytes leave that will not arrive.
    pub(super) async fn waste(&mut self, bytes: u64) {
        if bytes > 0 {
            let left_at = self.pass(bytes);
            wait_until(left_at).await;
        }
    }

    fn pass(&mut self, bytes: u64) -> Instant {
        let passage = self.way.pass(Instant::now(), bytes, self.trunk);
        self.tally.losses.add(passage.losses);
        self.arrives_at = passage.arrives_at;
        passage.left_at
    }

    /// Says that nothing more will come.
    pub(super) async fn close(&mut self) {
        self.end(Content::Close).await;
    }

    /// Says that the reader's end is gone.
    pub(super) async fn break_off(&mut self) {
        self.end(Content::BreakOff).await;
    }

    async fn end(&mut self, content: Content) {
        let arrives_at = self.way.pass(Instant::now(), 0, self.trunk).arrives_at;
        self.inlet.put(content, arrives_at).await;
    }
}

/// Writes what arrives until it ends; `silence` is waited for before each write.
pub(super) async fn deliver<F: Future<Output = ()>>(
    mut outlet: Outlet,
    mut to: WriteHalf<'_>,
    passed: &Count,
    silence: impl Fn() -> F,
) -> End {
    while let Some(parcel) = outlet.0.recv().await {
        wait_until(parcel.arrives_at).await;
        silence().await;
        match parcel.content {
            Content::Bytes(mut bytes) => {
                while bytes.has_remaining() {
                    match to.write_buf(&mut bytes).await {
                        Ok(written @ 1..) => passed.add(written as u64),
                        Ok(0) | Err(_) => return End::Broken,
                    }
                }
            }
            Content::Close => {
                return if to.shutdown().await.is_ok() { End::Closed } else { End::Broken };
            }
            Content::BreakOff => return End::Broken,
        }
    }
    End::Broken
}

/// Most often it is that late already, and a timer would cost more than the bytes.
pub(super) async fn wait_until(moment: Instant) {
    if moment > Instant::now() {
        sleep_until(moment).await;
    }
}
