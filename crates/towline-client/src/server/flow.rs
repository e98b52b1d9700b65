//! A body on its way out: whether it moves, when it is out, and why it broke off on this side.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use tokio::time::{Instant, timeout_at};

use super::line::Patience;

/// Frames go out in slices of this size, so that a slow line is seen to move.
const SLICE_BYTES: usize = 64 * 1024;
/// What the system may still hold of a body that is out.
const HELD_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The slowest line that is waited for while it empties that.
const HELD_BYTES_PER_S: u64 = 32 * 1024;

/// Whoever waits for the answer watches the body by this. Dropped, the body is cut.
#[derive(Debug)]
pub(super) struct Flow(Arc<Mutex<Moves>>);

#[derive(Debug)]
struct Moves {
    moved_at: Instant,
    left_bytes: u64,
    is_cut: bool,
    failed: Option<String>,
}

/// The frames, of exactly as many bytes as were promised.
pub(super) struct Flowing {
    frames: BoxStream<'static, io::Result<Bytes>>,
    rest: Bytes,
    moves: Arc<Mutex<Moves>>,
}

impl Flow {
    pub(super) fn over(frames: BoxStream<'static, io::Result<Bytes>>, size_bytes: u64) -> (Flowing, Self) {
        let moves = Moves { moved_at: Instant::now(), left_bytes: size_bytes, is_cut: false, failed: None };
        let moves = Arc::new(Mutex::new(moves));
        (Flowing { frames, rest: Bytes::new(), moves: Arc::clone(&moves) }, Self(moves))
    }

    /// Waits for the answer as long as the body moves, and for a while after it is out; nothing when that was in vain.
    pub(super) async fn wait<T>(
        &self,
        answer: impl Future<Output = T> + Send,
        (size_bytes, patience): (u64, &Patience),
    ) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        let held = std::time::Duration::from_secs(size_bytes.min(HELD_BYTES_MAX) / HELD_BYTES_PER_S);
        loop {
            let deadline = || {
                let moves = lock(&self.0);
                let wait = if moves.left_bytes == 0 { patience.reply + held } else { patience.silence };
                moves.moved_at + wait
            };
            match timeout_at(deadline(), answer.as_mut()).await {
                Ok(answer) => return Some(answer),
                Err(_) if deadline() > Instant::now() => {}
                Err(_) => return None,
            }
        }
    }

    /// Why the body ended on this side, if it did.
    pub(super) fn failed(&self) -> Option<String> {
        lock(&self.0).failed.clone()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        lock(&self.0).is_cut = true;
    }
}

fn lock(moves: &Mutex<Moves>) -> MutexGuard<'_, Moves> {
    moves.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for Flowing {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while self.rest.is_empty() {
            let next = ready!(self.frames.as_mut().poll_next(context));
            let mut moves = lock(&self.moves);
            let problem = match next {
                Some(Ok(frame)) if frame.len() as u64 <= moves.left_bytes => {
                    drop(moves);
                    self.rest = frame;
                    continue;
                }
                None if moves.left_bytes == 0 || moves.failed.is_some() => return Poll::Ready(None),
                Some(Ok(_)) => io::Error::other("there are more bytes than were promised"),
                Some(Err(error)) => error,
                None => io::ErrorKind::UnexpectedEof.into(),
            };
            moves.failed = Some(problem.to_string());
            return Poll::Ready(Some(Err(problem)));
        }
        let size_bytes = self.rest.len().min(SLICE_BYTES);
        let slice = self.rest.split_to(size_bytes);
        let mut moves = lock(&self.moves);
        if moves.is_cut {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        moves.left_bytes -= size_bytes as u64;
        moves.moved_at = Instant::now();
        Poll::Ready(Some(Ok(slice)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt as _, stream};
    use tokio::time::sleep;

    use super::*;

    fn frames(sizes: &[usize]) -> BoxStream<'static, io::Result<Bytes>> {
        let frames: Vec<io::Result<Bytes>> = sizes.iter().map(|size| Ok(vec![7; *size].into())).collect();
        stream::iter(frames).boxed()
    }

    #[tokio::test]
    async fn large_frames_go_out_in_slices() {
        let (flowing, flow) = Flow::over(frames(&[0, 3 * SLICE_BYTES + 1, 2]), 3 * SLICE_BYTES as u64 + 3);
        let sizes: Vec<usize> = flowing.map(|slice| slice.unwrap().len()).collect().await;
        assert_eq!(sizes, [SLICE_BYTES, SLICE_BYTES, SLICE_BYTES, 1, 2]);
        assert_eq!(flow.failed(), None);
    }

    #[tokio::test]
    async fn bytes_that_are_missing_or_too_many_are_told() {
        for (sizes, told) in
            [(&[2][..], "unexpected end of file"), (&[2, 2], "there are more bytes than were promised")]
        {
            let (flowing, flow) = Flow::over(frames(sizes), 3);
            let last = flowing.collect::<Vec<_>>().await.pop().unwrap();
            assert!(last.is_err());
            assert_eq!(flow.failed().as_deref(), Some(told));
        }
    }

    #[tokio::test]
    async fn a_body_that_nobody_waits_for_is_cut() {
        let (mut flowing, flow) = Flow::over(frames(&[2, 2]), 4);
        assert!(flowing.next().await.unwrap().is_ok());
        drop(flow);
        assert!(flowing.next().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_moves_is_waited_for_and_one_that_is_stuck_is_not() {
        let patience = Patience::default();
        let drip = |count: u32| async move {
            let size_bytes = u64::from(count) + 1;
            let (mut flowing, flow) = Flow::over(frames(&vec![1; count as usize + 1]), size_bytes);
            let taken = async {
                for _ in 0..count {
                    sleep(Duration::from_secs(59)).await;
                    flowing.next().await.unwrap().unwrap();
                }
                std::future::pending::<()>().await;
            };
            let began = Instant::now();
            assert!(flow.wait(taken, (size_bytes, &patience)).await.is_none());
            began.elapsed()
        };
        assert_eq!(drip(0).await.as_secs(), patience.silence.as_secs());
        assert_eq!(drip(10).await.as_secs(), 11 * patience.silence.as_secs() - 10);
    }
}
