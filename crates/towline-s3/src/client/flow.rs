//! Bodies that are sent once, as they come, over lines of any speed: what is bounded is how long nothing moves.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use towline_sigv4::Payload;

use super::{Body, Call, Client, Reply};
use crate::problem::Problem;

/// Frames go out in pieces of this size, so that a slow line is seen to move.
const PIECE_BYTES: usize = 64 * 1024;
/// Not every server answers whether it wants a body. Then it is sent.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);
/// What the system may still hold of a body that is out.
const HELD_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The slowest line that is waited for while it empties that.
const HELD_BYTES_PER_S: u64 = 32 * 1024;

/// A body as it comes: exactly so many bytes.
pub struct Flow {
    pub payload: Payload,
    pub size_bytes: u64,
    pub stream: BoxStream<'static, io::Result<Bytes>>,
    /// The server says whether it wants the body before it is sent: a way there and back for not sending it in vain. What a
    /// server says that refuses a body under way is often lost with the connection.
    pub asks_first: bool,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

impl Client {
    /// Asks once. It may take for ever, as long as the body moves: neither a frame that is not taken nor an answer that does
    /// not come is waited for longer than the patience for replies, and than what lies in the buffers between takes.
    pub async fn pass(&self, call: Call, flow: Flow) -> Result<Reply, Problem> {
        let Flow { payload, size_bytes, stream, asks_first } = flow;
        let moves = Arc::new(Moves::new(size_bytes));
        let cut = Cut(Arc::clone(&moves));
        let gate = asks_first.then(|| moves.gate());
        let mut request = self.signed(&call, (payload, size_bytes), body(stream, gate, &moves)).await?;
        if asks_first {
            ask_first(&mut request, &moves);
        }
        let wait = self.patience.reply;
        let response = tokio::select! {
            response = self.wire.request(request) => response.map_err(|error| Problem::Broken(error.into()))?,
            () = moves.stall(wait) => return Err(Problem::TimedOut),
        };
        // What is not sent by now is not wanted any more.
        drop(cut);
        super::answer(response, &call, wait).await
    }
}

fn ask_first(request: &mut Request<Body>, moves: &Arc<Moves>) {
    request.headers_mut().insert(http::header::EXPECT, http::HeaderValue::from_static("100-continue"));
    let moves = Arc::clone(moves);
    hyper::ext::on_informational(request, move |response| {
        let answered = moves.lock().asked.take().filter(|_| response.status() == StatusCode::CONTINUE);
        // Nobody listens any more where it took too long.
        answered.map(|asked| asked.send(()).ok());
    });
}

/// When something moved.
#[derive(Debug)]
struct Moves {
    at: Mutex<At>,
    /// How long the line may still carry what is out.
    held: Duration,
}

#[derive(Debug)]
struct At {
    last: Instant,
    left_bytes: u64,
    is_cut: bool,
    /// Waits for the server to want the body.
    asked: Option<oneshot::Sender<()>>,
}

/// Dropped, the body is cut: its connection is closed and takes no more of it.
struct Cut(Arc<Moves>);

impl Drop for Cut {
    fn drop(&mut self) {
        let mut at = self.0.lock();
        at.is_cut = true;
        at.asked = None;
    }
}

impl Moves {
    fn new(size_bytes: u64) -> Self {
        let at = At { last: Instant::now(), left_bytes: size_bytes, is_cut: false, asked: None };
        let held = Duration::from_secs(size_bytes.min(HELD_BYTES_MAX) / HELD_BYTES_PER_S);
        Self { at: Mutex::new(at), held }
    }

    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> oneshot::Receiver<()> {
        let (asked, gate) = oneshot::channel();
        self.lock().asked = Some(asked);
        gate
    }

    fn note(&self, taken_bytes: usize) -> io::Result<()> {
        let mut at = self.lock();
        at.last = Instant::now();
        at.left_bytes = at.left_bytes.saturating_sub(taken_bytes as u64);
        if at.is_cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    async fn stall(&self, wait: Duration) {
        loop {
            let until = {
                let at = self.lock();
                at.last + if at.left_bytes == 0 { wait + self.held } else { wait }
            };
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// Frames on their way out.
struct Flowing {
    stream: BoxStream<'static, io::Result<Bytes>>,
    rest: Bytes,
    gate: Option<oneshot::Receiver<()>>,
    moves: Arc<Moves>,
}

fn body(
    stream: BoxStream<'static, io::Result<Bytes>>,
    gate: Option<oneshot::Receiver<()>>,
    moves: &Arc<Moves>,
) -> Body {
    let flowing = Flowing { stream, rest: Bytes::new(), gate, moves: Arc::clone(moves) };
    StreamBody::new(stream::try_unfold(flowing, Flowing::next).map_ok(Frame::data)).boxed_unsync()
}

impl Flowing {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if let Some(gate) = self.gate.take()
            && let Ok(Err(_)) = timeout(CONTINUE_WAIT, gate).await
        {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        while self.rest.is_empty() {
            let Some(frame) = self.stream.next().await else {
                self.moves.note(0)?;
                return Ok(None);
            };
            self.rest = frame?;
        }
        let taken = self.rest.len().min(PIECE_BYTES);
        self.moves.note(taken)?;
        Ok(Some((self.rest.split_to(taken), self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_and_must_not_stand_still() {
        let moves = Arc::new(Moves::new(4));
        let begun = Instant::now();
        let slow = stream::iter(0..4).then(|number| async move {
            tokio::time::sleep(Duration::from_secs(if number < 3 { 50 } else { 1000 })).await;
            Ok(Bytes::from_static(b"x"))
        });
        let taken = body(slow.boxed(), None, &moves).collect();
        tokio::select! {
            _ = taken => panic!("it stands still before its end"),
            () = moves.stall(WAIT) => {}
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(3 * 50 + 60));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_what_the_line_still_carries_and_no_longer_for_a_slow_body() {
        for (size_bytes, piece_s, answer_s) in
            [(0, 0, 60), (1024 * 1024, 50, 60 + 32), (64 << 20, 0, 60 + 128)]
        {
            let moves = Arc::new(Moves::new(size_bytes));
            let frames = stream::iter(0..u64::from(size_bytes > 0) * 4).then(move |_| async move {
                tokio::time::sleep(Duration::from_secs(piece_s)).await;
                Ok(vec![7; usize::try_from(size_bytes / 4).unwrap()].into())
            });
            body(frames.boxed(), None, &moves).collect().await.unwrap();
            let out_at = Instant::now();
            moves.stall(WAIT).await;
            assert_eq!(out_at.elapsed(), Duration::from_secs(answer_s));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_until_it_is_wanted_and_ends_when_it_is_not() {
        let frames = || stream::iter([Ok(Bytes::from_static(b"ab"))]).boxed();
        let moves = Arc::new(Moves::new(2));
        let begun = Instant::now();
        let waiting = body(frames(), Some(moves.gate()), &moves).collect();
        assert_eq!(waiting.await.unwrap().to_bytes(), "ab", "nobody says anything");
        assert_eq!(begun.elapsed(), CONTINUE_WAIT);

        let wanted = body(frames(), Some(moves.gate()), &moves).collect();
        moves.lock().asked.take().unwrap().send(()).unwrap();
        assert_eq!(wanted.await.unwrap().to_bytes(), "ab");

        let unwanted = body(frames(), Some(moves.gate()), &moves);
        let under_way = body(frames(), None, &moves);
        drop(Cut(Arc::clone(&moves)));
        assert!(unwanted.collect().await.is_err() && under_way.collect().await.is_err());
    }
}
