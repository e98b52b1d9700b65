//! Bodies that are sent once, as they come, over lines of any speed: what is bounded is how long nothing moves.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::time::{Instant, sleep_until};
use towline_sigv4::Payload;

use super::{Body, Call, Client, Reply};
use crate::problem::Problem;

/// A body as it comes: exactly so many bytes.
pub struct Flow {
    pub payload: Payload,
    pub size_bytes: u64,
    pub stream: BoxStream<'static, io::Result<Bytes>>,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

impl Client {
    /// Asks once. It may take for ever, as long as the body moves: neither a frame that is not taken nor an answer that does
    /// not come is waited for longer than the patience for replies. What lies in the buffers between takes its time as well,
    /// and no more than what went before it.
    pub async fn pass(&self, call: Call, flow: Flow) -> Result<Reply, Problem> {
        let Flow { payload, size_bytes, stream } = flow;
        let moves = Arc::new(Moves::new());
        let body = moves.over(stream);
        let request = self.signed(&call, (payload, size_bytes), body).await?;
        let wait = self.patience.reply;
        let response = tokio::select! {
            response = self.wire.request(request) => response.map_err(|error| Problem::Broken(error.into()))?,
            () = moves.stall(wait) => return Err(Problem::TimedOut),
        };
        super::answer(response, &call, wait).await
    }
}

/// When something moved.
#[derive(Debug)]
struct Moves(Mutex<At>);

#[derive(Clone, Copy, Debug)]
struct At {
    begun: Instant,
    last: Instant,
    has_ended: bool,
}

impl Moves {
    fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(At { begun: now, last: now, has_ended: false }))
    }

    fn over(self: &Arc<Self>, stream: BoxStream<'static, io::Result<Bytes>>) -> Body {
        let (moves, end) = (Arc::clone(self), Arc::clone(self));
        let stream = stream.inspect(move |_| moves.note(false));
        let ended = futures_util::stream::poll_fn(move |_| {
            end.note(true);
            std::task::Poll::Ready(None)
        });
        StreamBody::new(stream.chain(ended).map(|frame| frame.map(Frame::data))).boxed_unsync()
    }

    fn note(&self, has_ended: bool) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = At { last: Instant::now(), has_ended: at.has_ended || has_ended, ..*at };
    }

    async fn stall(&self, wait: Duration) {
        loop {
            let At { begun, last, has_ended } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let until = last + if has_ended { wait.max(last - begun) } else { wait };
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const WAIT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_and_must_not_stand_still() {
        let moves = Arc::new(Moves::new());
        let begun = Instant::now();
        let slow = stream::iter(0..4).then(|number| async move {
            tokio::time::sleep(Duration::from_secs(if number < 3 { 50 } else { 1000 })).await;
            Ok(Bytes::from_static(b"x"))
        });
        let taken = moves.over(slow.boxed()).collect();
        tokio::select! {
            _ = taken => panic!("it stands still before its end"),
            () = moves.stall(WAIT) => {}
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(3 * 50 + 60));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_as_long_as_the_body_did() {
        for (body_s, expected_s) in [(0, 60), (100, 200)] {
            let moves = Arc::new(Moves::new());
            let begun = Instant::now();
            let frames = stream::iter(0..10).then(move |_| async move {
                tokio::time::sleep(Duration::from_secs(body_s / 10)).await;
                Ok(Bytes::from_static(b"x"))
            });
            moves.over(frames.boxed()).collect().await.unwrap();
            moves.stall(WAIT).await;
            assert_eq!(begun.elapsed(), Duration::from_secs(expected_s));
        }
    }
}
