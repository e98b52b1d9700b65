//! A bad line between clients and a server: slow, far away, and broken now and then, by chance that a seed repeats.
//!
//! It passes TCP on and knows of HTTP/1.1 only where requests begin and end. It neither keeps nor changes what passes.

mod chance;
mod connection;
mod exchange;
mod framing;
mod luck;
mod socket;
mod tally;
mod value;
mod way;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use tally::Tally;
pub(crate) use value::{Rate, Share, Spacing, Target, parse_time};

use connection::Connection;
use way::Trunk;

/// More clients wait in the queue of the system. Each takes two of the 1,024 files that a program may have open.
const CONNECTIONS_MAX: usize = 400;
/// After a failed accept (no file descriptors left) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What Linux lets a connection have under way at most, unless told otherwise (`tcp_wmem`).
pub(crate) const WINDOW_BYTES: u64 = 4 << 20;

/// How bad a line is.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(crate) rate: Option<Rate>,
    pub(crate) line_rate: Option<Rate>,
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// What a connection may have under way, one way.
    pub(crate) window_bytes: u64,
    pub(crate) loss: Share,
    pub(crate) cut_every: Option<Spacing>,
    pub(crate) stall_every: Option<Spacing>,
    pub(crate) stall: Duration,
    pub(crate) error_rate: Share,
    pub(crate) swallow_rate: Share,
    pub(crate) seed: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            rate: None,
            line_rate: None,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            window_bytes: WINDOW_BYTES,
            loss: Share::default(),
            cut_every: None,
            stall_every: None,
            stall: Duration::from_secs(5),
            error_rate: Share::default(),
            swallow_rate: Share::default(),
            seed: 0,
        }
    }
}

impl Conditions {
    /// What one connection gets, one way: a sender that must wait a round trip for every window gets no more than that.
    fn effective_rate(&self) -> Option<Rate> {
        let by_window = Rate::of_window(self.window_bytes, 2 * self.latency);
        match (self.rate, by_window) {
            (Some(rate), Some(by_window)) => Some(rate.min(by_window)),
            (rate, by_window) => rate.or(by_window),
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        let named = |name: &str, value: Option<String>| value.map(|value| format!(", {name} {value}"));
        let time = |time: Duration| (!time.is_zero()).then(|| format!("{time:?}"));
        let share = |share: Share| (!share.is_never()).then(|| share.to_string());
        let window = (self.window_bytes != WINDOW_BYTES).then(|| crate::output::bytes(self.window_bytes));
        let stall = self.stall_every.map(|every| format!("{:?} every {every}", self.stall));
        let parts = [
            named("rate", self.rate.map(|rate| rate.to_string())),
            named("line rate", self.line_rate.map(|rate| rate.to_string())),
            named("latency", time(self.latency)),
            named("jitter", time(self.jitter)),
            named("window", window),
            named("loss", share(self.loss)),
            named("cut every", self.cut_every.map(|every| every.to_string())),
            named("stall", stall),
            named("errors", share(self.error_rate)),
            named("swallowed", share(self.swallow_rate)),
        ];
        parts.into_iter().flatten().try_for_each(|part| f.write_str(&part))
    }
}

/// A line that listens.
#[derive(Debug)]
pub(crate) struct Line {
    listener: TcpListener,
    address: SocketAddr,
    ends: Arc<Ends>,
}

/// What all connections of a line share.
#[derive(Debug)]
struct Ends {
    /// The addresses of the server, in the order they are tried.
    server: Vec<SocketAddr>,
    conditions: Conditions,
    up: Trunk,
    down: Trunk,
    tally: Arc<Tally>,
}

impl Line {
    /// Looks the server up, and listens.
    pub(crate) async fn open(
        listen: SocketAddr,
        to: &Target,
        conditions: Conditions,
    ) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let server = look_up(to).await.with_context(|| format!("cannot find {}", to.as_str()))?;
        let listener = socket::listen(listen, &conditions);
        let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr().context("cannot tell where it listens")?;
        let trunk = || Trunk::new(conditions.line_rate);
        let (up, down) = (trunk(), trunk());
        let ends = Arc::new(Ends { server, conditions, up, down, tally: Arc::default() });
        Ok(Self { listener, address, ends })
    }

    /// The real one, also where port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.ends.tally)
    }

    /// Carries until the stop, which cuts what is under way.
    pub(crate) async fn carry(self, stop: CancellationToken) {
        let (slots, tasks) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
        let accepting = async {
            for number in 0.. {
                let slot = Arc::clone(&slots).acquire_owned().await;
                let slot = slot.expect("the semaphore is never closed");
                let connection = Connection::new(Arc::clone(&self.ends), number);
                let client = self.next_client().await;
                let until = stop.clone();
                tasks.spawn(async move {
                    until.run_until_cancelled(Box::pin(connection.carry(client))).await;
                    drop(slot);
                });
            }
        };
        stop.run_until_cancelled(accepting).await;
        tasks.close();
        tasks.wait().await;
    }

    async fn next_client(&self) -> tokio::net::TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

async fn look_up(target: &Target) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host(target.as_str()).await?.collect();
    if found.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_said_as_far_as_there_are_any() {
        assert_eq!(Conditions::default().to_string(), "seed 0");
        let bad = Conditions {
            rate: Rate::parse("10mbit").ok(),
            line_rate: Rate::parse("1gbit").ok(),
            latency: Duration::from_millis(100),
            jitter: Duration::from_millis(20),
            window_bytes: 128 << 10,
            loss: Share::parse("1%").unwrap(),
            cut_every: Spacing::parse("20MiB").ok(),
            stall_every: Spacing::parse("30s").ok(),
            error_rate: Share::parse("5%").unwrap(),
            swallow_rate: Share::parse("0.5%").unwrap(),
            seed: 7,
            ..Conditions::default()
        };
        assert_eq!(
            bad.to_string(),
            "seed 7, rate 10 Mbit/s, line rate 1 Gbit/s, latency 100ms, jitter 20ms, window 128.0 KiB, loss 1%, \
             cut every 20.0 MiB, stall 5s every 30s, errors 5%, swallowed 0.5%"
        );
    }

    #[test]
    fn a_connection_gets_the_smaller_of_its_rate_and_its_window() {
        let mut conditions = Conditions { window_bytes: 125_000, ..Conditions::default() };
        assert_eq!(conditions.effective_rate(), None);
        conditions.latency = Duration::from_millis(50);
        assert_eq!(conditions.effective_rate(), Rate::parse("10mbit").ok());
        conditions.rate = Rate::parse("20mbit").ok();
        assert_eq!(conditions.effective_rate(), Rate::parse("10mbit").ok());
        conditions.rate = Rate::parse("5mbit").ok();
        assert_eq!(conditions.effective_rate(), conditions.rate);
    }
}
