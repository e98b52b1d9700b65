//! Relayed parts to disk. Server CPU per GB is the number that says what the server adds; it is set beside a bare
//! `recv` and `pwrite` loop measured in the same run, in turn, so that the machine's mood falls on both.

use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;

use super::Programs;
use super::load::PART_BYTES;
use crate::process::stdout_of;
use crate::say;
use crate::server::Server;

const CONNECTIONS: [u32; 3] = [1, 4, 64];
const MIB: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How much each measurement sends, MiB
    #[arg(long, default_value_t = 4096)]
    mib: u32,
    /// How often each is measured; the best counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Floor,
    /// Landing without fdatasync, as the floor does.
    Towline,
    TowlineDurable,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Floor, Self::Towline, Self::TowlineDurable];

    fn name(self) -> &'static str {
        match self {
            Self::Floor => "bare loop",
            Self::Towline => "towline, disk-sync off",
            Self::TowlineDurable => "towline, disk-sync on",
        }
    }

    fn command(self, programs: &Programs, data: &TempDir) -> Command {
        let mut command;
        match self {
            Self::Floor => {
                command = Command::new(&programs.xtask);
                command.args(["bench", "floor"]);
            }
            Self::Towline | Self::TowlineDurable => {
                command = Command::new(&programs.towline);
                command.args(["serve", "--listen=127.0.0.1:0"]);
                command.arg(format!("--disk-sync={}", self == Self::TowlineDurable));
            }
        }
        command.arg("--data").arg(data.path().join("data"));
        command
    }
}

#[derive(Clone, Copy, Debug)]
struct Figures {
    gb_per_s: f64,
    cpu_s_per_gb: f64,
    peak_rss_mib: f64,
}

impl Figures {
    /// The least disturbed of several.
    fn best(self, other: Self) -> Self {
        Self {
            gb_per_s: self.gb_per_s.max(other.gb_per_s),
            cpu_s_per_gb: self.cpu_s_per_gb.min(other.cpu_s_per_gb),
            // But of memory the worst: a bound holds always or not at all.
            peak_rss_mib: self.peak_rss_mib.max(other.peak_rss_mib),
        }
    }
}

pub(super) fn run(programs: &Programs, args: &Args) -> anyhow::Result<()> {
    say::line("| connections | server | GB/s | CPU s/GB | × bare loop | peak RSS MiB |");
    say::line("|---|---|---|---|---|---|");
    for connections in CONNECTIONS {
        let mut best: [Option<Figures>; 3] = [None; 3];
        for round in 1..=args.rounds {
            for (slot, subject) in best.iter_mut().zip(Subject::ALL) {
                let figures = measure(programs, subject, connections, args.mib)
                    .with_context(|| format!("{} at {connections} connections", subject.name()))?;
                say::note(format_args!(
                    "{connections} connections, round {round}, {}: {figures:.3?}",
                    subject.name()
                ));
                *slot = Some(slot.map_or(figures, |others| others.best(figures)));
            }
        }
        print(connections, best);
    }
    Ok(())
}

fn print(connections: u32, best: [Option<Figures>; 3]) {
    let floor = best[0].map_or(f64::NAN, |figures| figures.cpu_s_per_gb);
    for (figures, subject) in best.into_iter().zip(Subject::ALL) {
        let Some(figures) = figures else { continue };
        say::line(format_args!(
            "| {connections} | {} | {:.2} | {:.2} | {:.2} | {:.0} |",
            subject.name(),
            figures.gb_per_s,
            figures.cpu_s_per_gb,
            figures.cpu_s_per_gb / floor,
            figures.peak_rss_mib,
        ));
    }
}

/// A fresh server for each measurement: the peak of its memory is this one's.
fn measure(programs: &Programs, subject: Subject, connections: u32, mib: u32) -> anyhow::Result<Figures> {
    let folder = TempDir::with_prefix("towline-bench-").context("making a folder")?;
    let server = Server::start(&mut subject.command(programs, &folder), &folder.path().join("log"))?;
    let per_connection = u64::from(mib) * MIB / PART_BYTES / u64::from(connections);
    let parts = u32::try_from(per_connection.max(1)).context("that is too much for one connection")?;
    let mut load = Command::new(&programs.xtask);
    load.args(["bench", "load"]);
    load.arg(format!("--to={}", server.address));
    load.arg(format!("--connections={connections}")).arg(format!("--parts={parts}"));

    let before = server.usage()?;
    let seconds: f64 = stdout_of(&mut load)?.trim().parse().context("the load says no seconds")?;
    let after = server.usage()?;
    server.kill()?;

    let gigabytes = f64::from(parts) * f64::from(connections) * (8.0 * 1024.0 * 1024.0) / 1e9;
    Ok(Figures {
        gb_per_s: gigabytes / seconds,
        cpu_s_per_gb: (after.cpu_s - before.cpu_s) / gigabytes,
        peak_rss_mib: after.peak_rss_mib,
    })
}
