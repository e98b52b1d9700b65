//! The socket of one connection, with what hyper does not do: it counts bytes, gives up on a reader that has gone
//! silent, and closes so that an answer sent before the body was read is not lost.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::telemetry::Meter;

/// How much a closing connection reads away, and for how long, before it is closed on a client that goes on sending …
const LINGER_BYTES_MAX: usize = 8 * 1024 * 1024;
const LINGER_WAIT: Duration = Duration::from_secs(2);
/// … and when a client counts as done: a stop waits this long for one that is idle and stays.
const LINGER_SILENCE: Duration = Duration::from_millis(250);

/// One connection's bytes.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    meter: Arc<Meter>,
    reply_wait: Duration,
    /// When a write that does not get on is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
}

/// Closing a socket with unread bytes resets the connection, and the reset can overtake the answer.
#[derive(Debug)]
struct Linger {
    silent: Pin<Box<Sleep>>,
    ends_at: Instant,
    read_bytes: usize,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, reply_wait: Duration, meter: Arc<Meter>) -> Self {
        // Replies are small and whole: waiting for more of them helps nobody. Where it is not supported, all works.
        stream.set_nodelay(true).ok();
        Self { stream, meter, reply_wait, stalled: None, linger: None }
    }

    /// Looks at how a write went: it must get on within its time.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let wait = self.reply_wait;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(wait)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads the reply")))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.meter.add_received(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.meter.add_sent(*count);
        }
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(count)) = &written {
            self.meter.add_sent(*count);
        }
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let linger = this.linger.get_or_insert_with(Linger::begin);
        linger.poll_read_away(&mut this.stream, context).map(Ok)
    }
}

impl Linger {
    fn begin() -> Self {
        Self { silent: Box::pin(sleep(LINGER_SILENCE)), ends_at: Instant::now() + LINGER_WAIT, read_bytes: 0 }
    }

    /// Ready when the client has nothing more to say, or has said enough.
    fn poll_read_away(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        while self.read_bytes < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Pending => return self.silent.as_mut().poll(context),
                // Whatever was wrong with it, it is closed.
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => break,
                Poll::Ready(Ok(())) => self.read_bytes += buffer.filled().len(),
            }
            let silent_at = Instant::now() + LINGER_SILENCE;
            self.silent.as_mut().reset(silent_at.min(self.ends_at));
        }
        Poll::Ready(())
    }
}
