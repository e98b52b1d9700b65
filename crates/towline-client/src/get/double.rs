//! A shelf in memory whose line breaks, stalls, lies and is refilled, as a test wishes.

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use towline_core::digest::{Algorithm, Digester};

use crate::event::{Event, FileNumber, Watch};
use crate::remote::{Shelf, Stored};
use crate::trouble::Trouble;

/// What a read does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Is not answered.
    Refuse,
    /// Breaks off after so many bytes.
    Break(usize),
    /// Says nothing more after so many bytes.
    Stall(usize),
    /// Flips a bit of the byte at this place of the range.
    Flip(usize),
    /// Goes on after the end.
    TooMuch,
    /// The file is replaced after so many bytes.
    Replace(usize),
}

/// Which digests it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    Crc64,
    Other(Algorithm),
    Tag,
    Nothing,
}

pub(crate) struct Double {
    state: Mutex<State>,
    frame_bytes: usize,
}

struct State {
    content: Bytes,
    next: Option<Bytes>,
    version: u32,
    tells: Tells,
    /// Taken from the back.
    faults: Vec<Option<Fault>>,
    given_bytes: u64,
    has_ranges: bool,
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Double")
    }
}

impl Double {
    pub(crate) fn new(content: Vec<u8>, tells: Tells) -> Self {
        let state = State {
            content: content.into(),
            next: None,
            version: 1,
            tells,
            faults: Vec::new(),
            given_bytes: 0,
            has_ranges: true,
        };
        Self { state: Mutex::new(state), frame_bytes: 100_000 }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One for each read from now on.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        let mut faults: Vec<_> = faults.into_iter().collect();
        faults.reverse();
        self.state().faults = faults;
    }

    /// From now on it gives files only whole.
    pub(crate) fn give_whole(&self) {
        self.state().has_ranges = false;
    }

    /// What the file becomes by [`Fault::Replace`], or now.
    pub(crate) fn next(&self, content: Vec<u8>) {
        self.state().next = Some(content.into());
    }

    pub(crate) fn replace(&self, content: Vec<u8>) {
        self.next(content);
        self.state().replace();
    }

    pub(crate) fn content(&self) -> Bytes {
        self.state().content.clone()
    }

    /// How many bytes it has put on the line.
    pub(crate) fn given_bytes(&self) -> u64 {
        self.state().given_bytes
    }
}

impl State {
    fn replace(&mut self) {
        if let Some(next) = self.next.take() {
            self.content = next;
            self.version += 1;
        }
    }

    fn tag(&self) -> Option<String> {
        (self.tells != Tells::Nothing).then(|| format!("\"{}\"", self.version))
    }
}

#[async_trait]
impl Shelf for Double {
    async fn stored(&self, key: &str) -> Result<Option<Stored>, Trouble> {
        let state = self.state();
        if key != "videos/video.mp4" {
            return Ok(None);
        }
        let mut digester = Digester::new(match state.tells {
            Tells::Other(algorithm) => Some(algorithm),
            Tells::Crc64 | Tells::Tag | Tells::Nothing => None,
        });
        digester.update(&state.content);
        let computed = digester.finish();
        Ok(Some(Stored {
            key: key.to_owned(),
            size_bytes: computed.size_bytes,
            tag: state.tag(),
            crc64: (state.tells == Tells::Crc64).then_some(computed.crc64),
            digest: computed.others.first().cloned(),
            content_type: None,
        }))
    }

    fn has_ranges(&self) -> bool {
        self.state().has_ranges
    }

    async fn read(
        &self,
        stored: &Stored,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Trouble>>, Trouble> {
        let mut state = self.state();
        if stored.tag != state.tag() || stored.size_bytes != state.content.len() as u64 {
            return Err(Trouble::gone("video.mp4 was replaced"));
        }
        if !state.has_ranges && range != (0..stored.size_bytes) {
            return Err(Trouble::refused("it gives files only whole"));
        }
        let [from, to] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
        let mut bytes = state.content[from..to].to_vec();
        let mut end = Err(Trouble::passing("the line broke"));
        match state.faults.pop().flatten() {
            Some(Fault::Refuse) => return Err(Trouble::passing("nobody is there")),
            Some(Fault::Break(after)) => bytes.truncate(after),
            Some(Fault::Stall(after)) => {
                bytes.truncate(after);
                end = Ok(Duration::MAX);
            }
            Some(Fault::Flip(at)) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1;
                }
            }
            Some(Fault::TooMuch) => bytes.push(0),
            Some(Fault::Replace(after)) => {
                bytes.truncate(after);
                state.replace();
            }
            None => {}
        }
        state.given_bytes += bytes.len() as u64;
        let is_whole = bytes.len() >= to - from;
        let frames: Vec<_> =
            bytes.chunks(self.frame_bytes).map(|frame| Ok(Bytes::copy_from_slice(frame))).collect();
        let ending = stream::once(async move {
            match end {
                Ok(wait) => {
                    tokio::time::sleep(wait).await;
                    Err(Trouble::passing("never"))
                }
                Err(trouble) => Err(trouble),
            }
        });
        let frames = stream::iter(frames).then(|frame| async {
            // Gives others a turn, as a line does.
            tokio::task::yield_now().await;
            frame
        });
        Ok(if is_whole { frames.boxed() } else { frames.chain(ending).boxed() })
    }
}

/// Adds up what it sees.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) compared_bytes: u64,
    pub(crate) kept_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) landed_bytes: u64,
    pub(crate) lost_bytes: u64,
    pub(crate) retries: u64,
    pub(crate) notes: u64,
    pub(crate) ends: u64,
}

impl Tally {
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap()
    }
}

impl Watch for Tally {
    fn see(&self, _: FileNumber, event: Event<'_>) {
        let mut seen = self.seen.lock().unwrap();
        match event {
            Event::Compared { bytes } => seen.compared_bytes += bytes,
            Event::Kept { bytes, .. } => seen.kept_bytes += bytes,
            Event::Sent { bytes } => seen.received_bytes += bytes,
            Event::Landed { size_bytes, .. } => seen.landed_bytes += size_bytes,
            Event::Retrying { .. } => seen.retries += 1,
            Event::Note { .. } => seen.notes += 1,
            Event::Fetched(_) | Event::Failed { .. } => seen.ends += 1,
            Event::Lost { bytes } => seen.lost_bytes += bytes,
            Event::Began { .. } | Event::Workers { .. } | Event::Finishing | Event::Done(_) => {}
        }
    }
}
