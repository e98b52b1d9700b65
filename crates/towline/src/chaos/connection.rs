//! The life of one connection: two ways, each a reader that lets bytes leave and a writer that lets them arrive, and what
//! befalls them.

mod lane;

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::exchange::Exchange;
use super::luck::{Luck, Mishap};
use super::way::{Direction, Way};
use super::{Ends, socket};
use lane::{Lane, Outlet, deliver};

/// What is read at once where nothing else limits it.
const READ_BYTES_MAX: usize = 128 * 1024;
/// What is read at once of a slow line, in time: fewer timers than packets.
const READ_TIME: Duration = Duration::from_millis(10);
/// How long what one end said last may take to the other one, beside the latency, after that broke off.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);
/// How much of a refused request is read away, so that its answer is not lost in a reset …
const DRAIN_BYTES_MAX: usize = 64 << 20;
/// … and after which silence its client counts as done.
const DRAIN_SILENCE: Duration = Duration::from_secs(2);
/// A swallowed reply that is longer is cut before its end.
const SWALLOW_BYTES_MAX: usize = 1 << 20;

/// How a way, or a connection, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As its ends wished.
    Closed,
    /// One end broke off.
    Broken,
    /// By us: what is under way is lost.
    Cut,
}

/// One connection of a line.
#[derive(Debug)]
pub(super) struct Connection {
    ends: Arc<Ends>,
    number: u64,
    read_bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    luck: Luck,
    exchange: Exchange,
    silent_until: Option<Instant>,
}

impl Connection {
    pub(super) fn new(ends: Arc<Ends>, number: u64) -> Self {
        let luck = Luck::new(&ends.conditions, number);
        let state = Mutex::new(State { luck, exchange: Exchange::default(), silent_until: None });
        let rates = [ends.conditions.effective_rate(), ends.conditions.line_rate];
        let bytes = rates.into_iter().flatten().map(|rate| rate.bytes_in(READ_TIME)).min();
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        Self { ends, number, read_bytes_max: bytes.clamp(1460, READ_BYTES_MAX), state }
    }

    /// Carries what comes until the connection ends.
    pub(super) async fn carry(self, mut client: TcpStream) {
        let tally = &self.ends.tally;
        tally.connections.add(1);
        // Greeting each other takes a round trip.
        lane::wait_until(Instant::now() + 2 * self.ends.conditions.latency).await;
        let Ok(mut server) = socket::connect(&self.ends.server, &self.ends.conditions).await else {
            tally.unreachable.add(1);
            reset(&client);
            return;
        };
        for stream in [&client, &server] {
            // What comes together goes on together. Where it is not supported, all works.
            stream.set_nodelay(true).ok();
        }
        let end = tokio::select! {
            end = Box::pin(self.pass(&mut client, &mut server)) => end,
            () = self.cut_with_time() => End::Cut,
            never = self.stall_with_time() => match never {},
        };
        if end != End::Closed {
            reset(&client);
            reset(&server);
        }
    }

    async fn pass(&self, client: &mut TcpStream, server: &mut TcpStream) -> End {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let Ends { conditions, up, down, tally, .. } = &*self.ends;
        let (way_up, outlet_up) = lane::open(conditions.window_bytes);
        let (way_down, outlet_down) = lane::open(conditions.window_bytes);
        let answers = way_down.clone();
        let lane_up = Lane::new(Way::new(conditions, self.number, Direction::Up), up, way_up, tally);
        let lane_down = Lane::new(Way::new(conditions, self.number, Direction::Down), down, way_down, tally);
        let upward = self.flow(
            self.read_client(from_client, lane_up, &answers),
            self.write(outlet_up, to_server, &tally.up_passed_bytes),
        );
        let downward = self.flow(
            self.read_server(from_server, lane_down),
            self.write(outlet_down, to_client, &tally.down_passed_bytes),
        );
        both(Box::pin(upward), Box::pin(downward), LAST_WORDS_WAIT + 2 * conditions.latency).await
    }

    /// One way: ends with its writer, since that may have more to say when its reader has nothing more; or by a cut.
    async fn flow(&self, reading: impl Future<Output = Cut>, writing: impl Future<Output = End>) -> End {
        let cut = async {
            match reading.await {
                Cut::Now => End::Cut,
                Cut::Never => pending().await,
            }
        };
        tokio::select! {
            end = cut => end,
            end = writing => end,
        }
    }

    async fn write(
        &self,
        outlet: Outlet,
        to: tokio::net::tcp::WriteHalf<'_>,
        passed: &super::tally::Count,
    ) -> End {
        deliver(outlet, to, passed, || self.silence()).await
    }

    async fn read_client(&self, mut client: ReadHalf<'_>, mut lane: Lane<'_>, answers: &lane::Inlet) -> Cut {
        let mut held = BytesMut::new();
        loop {
            let read = self.read(&mut client, &mut held).await;
            let read_bytes = match read {
                Ok(Some(bytes)) => bytes,
                ended => return last(lane, held, ended.is_err()).await,
            };
            self.ends.tally.up_bytes.add(read_bytes as u64);
            if self.befall(read_bytes) == Cut::Now {
                return Cut::Now;
            }
            let step = {
                let State { luck, exchange, .. } = &mut *self.state();
                exchange.upward(&held, || luck.fate())
            };
            self.ends.tally.requests.add(step.requests);
            lane.send(held.split_to(step.pass_bytes).freeze()).await;
            if let Some(reply) = step.refusal {
                self.ends.tally.errors.add(1);
                let arrives_at = Instant::now() + 2 * self.ends.conditions.latency;
                answers.answer(reply.into(), arrives_at).await;
                return self.drain(client, lane).await;
            }
        }
    }

    /// Reads away what a refused client still says.
    async fn drain(&self, mut client: ReadHalf<'_>, mut lane: Lane<'_>) -> Cut {
        let (mut scratch, mut drained_bytes) = (BytesMut::new(), 0);
        while drained_bytes < DRAIN_BYTES_MAX {
            scratch.clear();
            // A silence of ours is not the client's.
            self.silence().await;
            let read = timeout(DRAIN_SILENCE, self.read(&mut client, &mut scratch)).await;
            let Ok(Ok(Some(read_bytes))) = read else {
                break;
            };
            self.ends.tally.up_bytes.add(read_bytes as u64);
            if self.befall(read_bytes) == Cut::Now {
                return Cut::Now;
            }
            lane.waste(read_bytes as u64).await;
            drained_bytes += read_bytes;
        }
        lane.close().await;
        Cut::Never
    }

    async fn read_server(&self, mut server: ReadHalf<'_>, mut lane: Lane<'_>) -> Cut {
        let (mut held, mut dropped_bytes) = (BytesMut::new(), 0);
        loop {
            let read_bytes = match self.read(&mut server, &mut held).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) if self.state().exchange.end_downward() => return self.swallow(),
                ended => return last(lane, held, ended.is_err()).await,
            };
            self.ends.tally.down_bytes.add(read_bytes as u64);
            if self.befall(read_bytes) == Cut::Now {
                return Cut::Now;
            }
            let step = self.state().exchange.downward(&held);
            lane.send(held.split_to(step.pass_bytes).freeze()).await;
            held.advance(step.drop_bytes);
            lane.waste(step.drop_bytes as u64).await;
            dropped_bytes += step.drop_bytes;
            if step.is_swallowed || dropped_bytes > SWALLOW_BYTES_MAX {
                return self.swallow();
            }
        }
    }

    fn swallow(&self) -> Cut {
        self.ends.tally.swallowed.add(1);
        Cut::Now
    }

    /// Reads no further than to the next mishap. Nothing when there is nothing more.
    async fn read(&self, from: &mut ReadHalf<'_>, held: &mut BytesMut) -> io::Result<Option<usize>> {
        self.silence().await;
        let left_bytes = usize::try_from(self.state().luck.bytes_left()).unwrap_or(usize::MAX);
        let bytes_max = self.read_bytes_max.min(left_bytes.max(1));
        held.reserve(self.read_bytes_max);
        let read_bytes = from.read_buf(&mut held.limit(bytes_max)).await?;
        Ok((read_bytes > 0).then_some(read_bytes))
    }

    /// What befalls the connection now that so many bytes more were carried.
    fn befall(&self, bytes: usize) -> Cut {
        let mishap = self.state().luck.carry(bytes as u64);
        match mishap {
            None => Cut::Never,
            Some(Mishap::Stall) => {
                self.stall();
                Cut::Never
            }
            Some(Mishap::Cut) => {
                self.ends.tally.cuts.add(1);
                Cut::Now
            }
        }
    }

    fn stall(&self) {
        self.ends.tally.stalls.add(1);
        self.state().silent_until = Some(Instant::now() + self.ends.conditions.stall);
    }

    /// Waits while the connection is silent.
    async fn silence(&self) {
        loop {
            let silent_until = self.state().silent_until;
            match silent_until {
                Some(until) if until > Instant::now() => sleep_until(until).await,
                Some(_) | None => return,
            }
        }
    }

    async fn cut_with_time(&self) {
        let time = self.state().luck.time_until_cut();
        match time {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
        self.ends.tally.cuts.add(1);
    }

    async fn stall_with_time(&self) -> Infallible {
        loop {
            let time = self.state().luck.time_until_stall();
            match time {
                Some(time) => sleep(time).await,
                None => pending().await,
            }
            self.stall();
            self.silence().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Never,
    Now,
}

/// Both ways to their ends. Where one breaks off, the other one may still bring what was said last.
async fn both(
    up: impl Future<Output = End> + Unpin,
    down: impl Future<Output = End> + Unpin,
    last_words_wait: Duration,
) -> End {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let (first, is_up) = tokio::select! {
        end = &mut up => (end, true),
        end = &mut down => (end, false),
    };
    let other = async { if is_up { down.await } else { up.await } };
    match first {
        End::Cut => End::Cut,
        End::Closed => other.await,
        End::Broken => match timeout(last_words_wait, other).await {
            Ok(End::Cut) => End::Cut,
            Ok(End::Closed | End::Broken) | Err(_) => End::Broken,
        },
    }
}

/// Lets the drop of a stream be a reset, as of a line that is cut.
fn reset(stream: &TcpStream) {
    // A stream that cannot be told so is closed, which its end takes for a cut just as well.
    stream.set_zero_linger().ok();
}

/// Passes on what is held of an end that says no more, and that it does not.
async fn last(mut lane: Lane<'_>, mut held: BytesMut, is_broken: bool) -> Cut {
    lane.send(held.split().freeze()).await;
    if is_broken {
        lane.break_off().await;
    } else {
        lane.close().await;
    }
    Cut::Never
}
