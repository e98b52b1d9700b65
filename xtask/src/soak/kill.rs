//! `soak kill`: SIGKILLs under load. After each restart everything that was acknowledged must be there.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::gate::Gate;
use super::ledger::Ledger;
use super::life::{Life, Stage};
use crate::home::Home;
use crate::process::{run as run_step, stdout_of};
use crate::say;
use crate::server::Server;
use crate::session::Client;

const CLIENTS: usize = 8;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the server is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Where the randomness begins; the moment of each kill is the machine's own
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many minutes, even if there were fewer kills
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

pub(crate) fn run(home: &Home, args: &Args) -> anyhow::Result<()> {
    run_step(&mut home.cargo(["build", "--release", "--locked", "--package", "towline"]))?;
    let folder = TempDir::with_prefix("towline-soak-").context("making a folder")?;
    let mut soak = Soak {
        program: home.target()?.join("release/towline"),
        data: folder.path().join("data"),
        log: folder.path().join("log"),
        address: None,
        rng: Rng::with_seed(args.seed),
        kills: 0,
    };
    let stage = Stage { gate: Gate::closed(CLIENTS), ledger: Mutex::new(Ledger::default()) };
    let result = soak.conduct(&stage, args);
    let ledger = stage.ledger();
    let mut failed = ledger.violations.len();
    for violation in &ledger.violations {
        say::line(format_args!("VIOLATION: {violation}"));
    }
    if let Err(error) = &result {
        say::line(format_args!("VIOLATION: {error:#}"));
        failed += 1;
    }
    let tally = ledger.tally;
    say::line(format_args!(
        "soak kill: seed {}, {} kills, {} parts acknowledged, {} files sealed, {} uploads cancelled",
        args.seed, soak.kills, tally.parts, tally.sealed, tally.cancelled
    ));
    say::line(format_args!("soak kill: {} checks passed, {failed} failed", tally.checks));
    if failed > 0 {
        bail!("data folder and log are kept in {}", folder.keep().display());
    }
    Ok(())
}

struct Soak {
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    /// The first start finds a port, all others take it again.
    address: Option<SocketAddr>,
    rng: Rng,
    kills: u32,
}

impl Soak {
    fn conduct(&mut self, stage: &Stage, args: &Args) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(args.minutes * 60);
        let seeds: Vec<u64> = (0..CLIENTS).map(|_| self.rng.u64(..)).collect();
        thread::scope(|scope| {
            for (number, seed) in seeds.into_iter().enumerate() {
                scope.spawn(move || Life::new(stage, number, Rng::with_seed(seed)).live());
            }
            let result = self.kill_again_and_again(stage, args.kills, end);
            stage.gate.end();
            let result = result.and_then(|()| self.last_round(stage));
            // Clients that still wait would wait for ever.
            stage.gate.give_up();
            result
        })?;
        let mut ledger = stage.ledger();
        // A client that left in anger leaves an open upload behind.
        if ledger.violations.is_empty() {
            self.sweep()?;
            ledger.tally.checks += 1;
        }
        Ok(())
    }

    fn kill_again_and_again(&mut self, stage: &Stage, kills: u32, end: Instant) -> anyhow::Result<()> {
        while self.kills < kills && Instant::now() < end && stage.ledger().violations.is_empty() {
            if self.rng.u8(..8) == 0 {
                let moment = Duration::from_millis(self.rng.u64(..30));
                Server::start_and_kill(&mut self.serve(), moment)?;
                self.kills += 1;
            }
            let server = self.start_and_verify(stage)?;
            stage.gate.open(server.address);
            let longest = if self.rng.bool() { 100 } else { 1000 };
            thread::sleep(Duration::from_millis(self.rng.u64(3..longest)));
            stage.gate.close();
            server.kill()?;
            self.kills += 1;
            stage.gate.wait_for_all();
            if self.kills.is_multiple_of(20) {
                let tally = stage.ledger().tally;
                say::note(format_args!("{} kills, {tally:?}", self.kills));
            }
        }
        Ok(())
    }

    /// Lets everybody finish, and looks at the result once more from a fresh start.
    fn last_round(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let server = self.start_and_verify(stage)?;
        stage.gate.open(server.address);
        stage.gate.wait_for_all();
        server.kill()?;
        self.start_and_verify(stage)?.kill()
    }

    fn start_and_verify(&mut self, stage: &Stage) -> anyhow::Result<Server> {
        let server = Server::start(&mut self.serve(), &self.log)?;
        ensure!(self.address.is_none_or(|address| address == server.address), "the server took another port");
        self.address = Some(server.address);
        let mut client = Client::open(server.address)?;
        let mut ledger = stage.ledger();
        let Ledger { accounts, sealed, violations, tally } = &mut *ledger;
        for account in accounts.values_mut().filter(|account| !account.is_ending) {
            let listed = client.parts(&account.id).with_context(|| format!("parts of {}", account.id))?;
            let (compared, wrong) = account.settle(&listed);
            tally.checks += compared;
            violations.extend(wrong);
        }
        for file in sealed.drain(..) {
            let bytes =
                fs::read(&file.path).with_context(|| format!("{} was sealed", file.path.display()))?;
            tally.checks += 1;
            if <[u8; 32]>::from(Sha256::digest(&bytes)) != file.sha256 {
                violations.push(format!("{} is not what was sent: {file:?}", file.path.display()));
                continue;
            }
            fs::remove_file(&file.path).context("making room")?;
        }
        Ok(server)
    }

    fn serve(&self) -> Command {
        let listen = self.address.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
        self.towline([OsStr::new("serve"), OsStr::new("--listen"), OsStr::new(&listen)])
    }

    /// With all uploads ended, no staging may be left.
    fn sweep(&self) -> anyhow::Result<()> {
        stdout_of(&mut self.towline([OsStr::new("sweep")]))?;
        let left = folder_names(&self.data.join("staging"))?;
        ensure!(left.is_empty(), "the sweep leaves {} staging folders: {:?}", left.len(), left.first());
        Ok(())
    }

    fn towline<const N: usize>(&self, arguments: [&OsStr; N]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--data").arg(&self.data);
        command
    }
}

fn folder_names(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let names = entries.map(|entry| Ok(PathBuf::from(entry?.file_name())));
    names.collect::<std::io::Result<_>>().with_context(|| format!("reading {}", folder.display()))
}
