//! `towline serve`: begins, serves until a signal, and stops in order. Correctness does not depend on the stop:
//! a kill is a normal end, too.

mod janitor;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{ServerFlags, Settings};
use crate::exit::{Complaint, Exit};
use crate::listen::{Bounds, Listener};
use crate::telemetry::{self, Meter};
use crate::wiring::House;

/// One core can serve, but a second thread keeps short requests from waiting for long ones.
const WORKERS_MIN: usize = 2;

pub(super) fn run(flags: ServerFlags) -> Result<Exit, Complaint> {
    let settings = flags.load()?.settings;
    settings.check_exposure()?;
    settings.check_pairs()?;
    telemetry::begin_logs(settings.log_format, &settings.log_level);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = settings.workers.map_or(cores.max(WORKERS_MIN), |count| count.0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(serve(&settings));
    // What is still under way was given its time.
    runtime.shutdown_background();
    exit
}

async fn serve(settings: &Settings) -> Result<Exit, Complaint> {
    // Taken first, so that a signal right after the start-up line finds them.
    let mut signals = Signals::take().context("cannot listen for signals")?;
    let meter = Arc::new(Meter::default());
    let bounds = Bounds {
        connections_max: settings.max_connections.0,
        head_wait: settings.header_timeout.0,
        reply_wait: settings.body_idle_timeout.0,
    };
    let address = settings.listen;
    let listener = Listener::bind(address.0, bounds, Arc::clone(&meter)).await;
    let listener = listener
        .with_context(|| format!("cannot listen on {address}"))
        .map_err(|error| Complaint::from(error).hint("choose another address with --listen"))?;
    let house = Arc::new(Box::pin(House::open(settings)).await?);
    let router = house.router(settings, &meter);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(janitor::run(house.engine.clone(), settings.sweep_every.0, stop.clone()));
    let (follower, follow_for, until) = (Arc::clone(&house), settings.clone(), stop.clone());
    tasks.spawn(async move { follower.follow_keys(&follow_for, until).await });
    telemetry::say_what_is_served(&house.describe(settings, listener.address()));
    let first = tokio::select! {
        () = listener.accept(router, stop.clone(), &tasks) => unreachable!("only a stop ends it"),
        exit = signals.next() => exit,
    };
    stop.cancel();
    Ok(finish(settings, &house, tasks, signals).await.unwrap_or(first))
}

/// Lets what is under way come to its end, within bounds. A second signal ends at once and is what counts.
async fn finish(
    settings: &Settings,
    house: &House,
    tasks: TaskTracker,
    mut signals: Signals,
) -> Option<Exit> {
    tracing::info!(connections = tasks.len().saturating_sub(1), "stopping");
    house.engine.begin_stop();
    tasks.close();
    let finished = async {
        tasks.wait().await;
        house.close().await;
    };
    tokio::select! {
        ended = tokio::time::timeout(settings.stop_wait.0, finished) => {
            if ended.is_ok() {
                tracing::info!("stopped");
            } else {
                tracing::warn!(tasks = tasks.len(), "stopped before everything had ended");
            }
            None
        }
        exit = signals.next() => Some(exit),
    }
}

/// The signals that mean stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// How the program ends by the next one.
    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.terminate.recv() => Exit::Done,
            _ = self.interrupt.recv() => Exit::Interrupted,
        }
    }
}
