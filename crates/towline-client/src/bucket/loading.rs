//! Parts in memory before they are sent: S3 wants their checksum first, and a file is read once. (It takes a checksum behind
//! a part as well; that halved what a server could take.)

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use towline_core::digest::{Algorithm, Computed, Digester};

use crate::remote::Frames;
use crate::trouble::Trouble;

/// How much of parts is in memory while the line takes them quickly.
const ROOM_BYTES: usize = 7 * 1024 * 1024;
/// On a slow line more parts have to be under way than there is room for: it is waited for so long.
const WAIT: Duration = Duration::from_millis(100);

/// Reads one part after the other, as there is room.
#[derive(Debug)]
pub(super) struct Loader {
    turn: Mutex<()>,
    room: Arc<Semaphore>,
}

/// Bytes that give their room back once they are sent.
struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Loader {
    pub(super) fn new() -> Self {
        Self { turn: Mutex::default(), room: Arc::new(Semaphore::new(ROOM_BYTES)) }
    }

    /// All of a part, and its digests.
    pub(super) async fn load(
        &self,
        frames: Frames,
        algorithm: Option<Algorithm>,
    ) -> Result<(Vec<Bytes>, Computed), Trouble> {
        let size_bytes = frames.size_bytes;
        let mut stream = frames.stream;
        let (mut pieces, mut digester) = (Vec::new(), Digester::new(algorithm));
        let mut wait = WAIT;
        // One at a time: parts that are read together would fill the room, and none would be whole.
        let _turn = self.turn.lock().await;
        while let Some(frame) = stream.next().await {
            let bytes =
                frame.map_err(|error| Trouble::source(format!("the file cannot be read: {error}")))?;
            digester.update(&bytes);
            let wanted = u32::try_from(bytes.len().min(ROOM_BYTES)).unwrap_or(u32::MAX);
            let room = timeout(wait, Arc::clone(&self.room).acquire_many_owned(wanted)).await;
            let room = room.ok().and_then(Result::ok);
            if room.is_none() {
                wait = Duration::ZERO;
            }
            pieces.push(Bytes::from_owner(Held { bytes, _room: room }));
        }
        let computed = digester.finish();
        if computed.size_bytes != size_bytes {
            return Err(Trouble::source("the file has another size than it was said to have"));
        }
        Ok((pieces, computed))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn frames(count: usize, size_bytes: usize) -> Frames {
        let frames = stream::iter((0..count).map(move |_| Ok(Bytes::from(vec![7; size_bytes]))));
        Frames::new((count * size_bytes) as u64, frames)
    }

    #[tokio::test(start_paused = true)]
    async fn room_comes_back_as_bytes_are_sent_and_a_slow_line_is_not_waited_for() {
        let loader = Loader::new();
        let (mut first, computed) = loader.load(frames(5, 1 << 20), None).await.unwrap();
        assert_eq!((first.len(), computed.size_bytes), (5, 5 << 20));
        let began_at = tokio::time::Instant::now();
        let (second, _) = loader.load(frames(5, 1 << 20), None).await.unwrap();
        assert_eq!(began_at.elapsed().as_millis(), WAIT.as_millis(), "once for the part, not for each frame");
        assert_eq!(loader.room.available_permits(), 0);
        first.pop();
        assert_eq!(loader.room.available_permits(), 1 << 20);
        drop((first, second));
        assert_eq!(loader.room.available_permits(), ROOM_BYTES);
    }

    #[tokio::test]
    async fn a_part_that_is_not_whole_is_not_sent() {
        let short = Frames { size_bytes: 3, ..frames(1, 2) };
        assert!(matches!(Loader::new().load(short, None).await, Err(Trouble::Source { .. })));
    }
}
