//! `towline put` and `towline get` beside the tools people use: the same file, the same S3 server, in turn.

mod tool;

use std::path::Path;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::Programs;
use super::line::{fill, is_same};
use crate::home::Home;
use crate::say;
use crate::testbed::{Testbed, Tools};
use tool::{Figures, Place, Stage, Tool};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The size of the file, MiB
    #[arg(long, default_value_t = 1024)]
    mib: u32,
    /// How often each is measured; the best counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only towline and the AWS CLI
    #[arg(long)]
    short: bool,
}

/// Which way the file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

pub(super) fn run(home: &Home, args: &Args) -> anyhow::Result<()> {
    let programs = Programs::build(home)?;
    let tools = Tools::install(home)?;
    let s3cmd = tools.s3cmd(home)?;
    let testbed = Testbed::start(home, &tools)?;
    let folder = TempDir::with_prefix("towline-bench-").context("making a folder")?;
    let file = folder.path().join("file.bin");
    fill(&file, u64::from(args.mib) << 20)?;
    let garage = testbed.variables().find(|(name, _)| *name == "TOWLINE_TEST_GARAGE");
    let place =
        garage.and_then(|(_, place)| Place::parse(place.to_str()?)).context("the testbed has no Garage")?;
    let stage = Stage::new(&programs.towline, &s3cmd, &tools, (place, folder.path()))?;
    let subjects = if args.short { &Tool::ALL[..2] } else { &Tool::ALL };
    for direction in [Direction::Up, Direction::Down] {
        let best = rounds(&stage, args.rounds, subjects, direction, &file)?;
        print(direction, subjects, &best);
    }
    Ok(())
}

/// One after the other, so that the machine's mood falls on all of them.
fn rounds(
    stage: &Stage,
    rounds: u32,
    subjects: &[Tool],
    direction: Direction,
    file: &Path,
) -> anyhow::Result<Vec<Figures>> {
    let mut best: Vec<Option<Figures>> = vec![None; subjects.len()];
    for round in 1..=rounds {
        for (slot, tool) in best.iter_mut().zip(subjects) {
            let figures = match direction {
                Direction::Up => {
                    let figures = stage.up(*tool, file)?;
                    stage.remove()?;
                    figures
                }
                Direction::Down => {
                    // Whatever the tool, it reads what one of them wrote.
                    stage.up(Tool::Aws, file)?;
                    let (figures, copy) = stage.down(*tool)?;
                    if !is_same(file, &copy)? {
                        bail!("{} brought back something else", tool.name());
                    }
                    std::fs::remove_file(&copy).context("making room")?;
                    stage.remove()?;
                    figures
                }
            };
            say::note(format_args!("round {round}, {direction:?}, {}: {figures:.2?}", tool.name()));
            *slot = Some(slot.map_or(figures, |others| others.best(figures)));
        }
    }
    best.into_iter().collect::<Option<Vec<_>>>().context("there was no round")
}

fn print(direction: Direction, subjects: &[Tool], best: &[Figures]) {
    let way = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    say::line(format_args!("| {way} | seconds | CPU seconds | peak memory, MiB |"));
    say::line("|---|---:|---:|---:|");
    for (tool, figures) in subjects.iter().zip(best) {
        let Figures { wall_s, cpu_s, peak_rss_mib } = figures;
        say::line(format_args!("| {} | {wall_s:.2} | {cpu_s:.2} | {peak_rss_mib:.0} |", tool.name()));
    }
}
