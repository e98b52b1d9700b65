//! The process that owns the servers. It ends, and they with it, when nobody holds the other end of its stdin any more:
//! so they go however their user goes, by the end of its work, by Ctrl-C or by a kill.

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, bail};

use super::garage::Garage;
use super::swift::Swift;
use crate::home::Home;
use crate::say;

/// Another program may take a port between its finding and its use.
const STARTS_MAX: u32 = 3;
/// What the keeper says when all its servers are ready.
const READY: &str = "ready";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The garage program
    #[arg(long)]
    garage: PathBuf,
    /// The Python that has Swift
    #[arg(long)]
    swift_python: PathBuf,
}

/// The keeper's own life.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let garage = start("Garage", || Garage::start(&args.garage))?;
    say::line(format_args!("TOWLINE_TEST_GARAGE={}", garage.place));
    let swift = start("Swift", || Swift::start(&args.swift_python))?;
    say::line(format_args!("TOWLINE_TEST_SWIFT={}", swift.place));
    say::line(READY);
    io::copy(&mut io::stdin(), &mut io::sink()).context("waiting for the end")?;
    Ok(())
}

fn start<T>(name: &str, server: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut starts = 1;
    loop {
        match server() {
            Err(error) if starts < STARTS_MAX => {
                say::note(format_args!("{name} did not start, once more: {error:#}"));
                starts += 1;
            }
            result => return result.with_context(|| format!("{name} does not start")),
        }
    }
}

/// A keeper, seen from the one who needs its servers.
#[derive(Debug)]
pub(super) struct Keeper {
    child: Child,
    /// Taken when the servers may go.
    hold: Option<ChildStdin>,
    /// Where the servers are, as names and values of the environment.
    pub(super) places: Vec<(String, String)>,
}

impl Keeper {
    /// Returns when the servers are ready.
    pub(super) fn start(home: &Home, garage: &Path, swift_python: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(&home.ourselves);
        command.arg("keep").arg("--garage").arg(garage).arg("--swift-python").arg(swift_python);
        // In a group of its own: Ctrl-C goes to a whole group, and the keeper must survive it to clean up.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the keeper of the servers")?;
        let hold = child.stdin.take();
        let words = child.stdout.take().context("the keeper has no stdout")?;
        let mut keeper = Self { child, hold, places: Vec::new() };
        for line in BufReader::new(words).lines() {
            let line = line.context("listening to the keeper")?;
            if line == READY {
                return Ok(keeper);
            }
            let (name, value) = line.split_once('=').context("the keeper speaks in riddles")?;
            keeper.places.push((name.to_owned(), value.to_owned()));
        }
        bail!("the servers of the testbed did not start")
    }

    /// Waits until the keeper goes, which it does only by a fault or by somebody's hand.
    pub(super) fn watch(mut self) -> anyhow::Result<()> {
        let status = self.child.wait().context("waiting for the keeper")?;
        bail!("the servers are gone: {status}")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.hold.take();
        self.child.wait().ok();
    }
}
