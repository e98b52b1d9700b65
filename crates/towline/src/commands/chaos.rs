//! `towline chaos`: carries until a signal or its time ends it, and says what happened.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chaos::{Line, Tally};
use crate::exit::{Complaint, Exit};
use crate::{cli, clock, output};

pub(super) fn run(asked: cli::Chaos) -> Result<Exit, Complaint> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    runtime.block_on(Box::pin(carry(asked)))
}

async fn carry(asked: cli::Chaos) -> Result<Exit, Complaint> {
    // Taken first, so that a signal right after the line below finds them.
    let mut signals = Signals::take().context("cannot listen for signals")?;
    // Short enough to be typed again.
    let conditions = asked.conditions(u32::from_be_bytes(clock::random()).into());
    let seed = conditions.seed;
    let described = conditions.to_string();
    let line = Line::open(asked.listen, &asked.to, conditions).await?;
    let tally = line.tally();
    let show = |tally: &Tally| if asked.json { tally.to_json(seed) } else { tally.to_table() };
    output::say(&format!("towline chaos: http://{} -> {} ({described})\n", line.address(), asked.to));
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(line.carry(stop.clone()));
    tasks.close();
    let mut over = std::pin::pin!(end_after(asked.lasts));
    let exit = loop {
        tokio::select! {
            () = &mut over => break Exit::Done,
            heard = signals.next() => match heard {
                Heard::Ask => output::data(&show(&tally))?,
                Heard::Stop(exit) => break exit,
            },
        }
    };
    stop.cancel();
    tasks.wait().await;
    output::data(&show(&tally))?;
    Ok(exit)
}

async fn end_after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

enum Heard {
    Ask,
    Stop(Exit),
}

struct Signals {
    ask: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            ask: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.ask.recv() => Heard::Ask,
            _ = self.terminate.recv() => Heard::Stop(Exit::Done),
            _ = self.interrupt.recv() => Heard::Stop(Exit::Interrupted),
        }
    }
}
