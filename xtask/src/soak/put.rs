//! `soak put`: files over bad lines. However a run goes, it ends in the right bytes under the key or in a plain refusal.

mod client;
mod plan;
mod run;
mod subject;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::home::Home;
use crate::process::run as run_step;
use crate::say;
use plan::Plan;
use run::{Run, Told};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many files
    #[arg(long, default_value_t = 100)]
    runs: u64,
    /// Where the randomness begins; the moment of each kill is the machine's own
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this run of them
    #[arg(long)]
    only: Option<u64>,
}

pub(crate) fn run(home: &Home, args: &Args) -> anyhow::Result<()> {
    run_step(&mut home.cargo(["build", "--release", "--locked", "--package", "towline"]))?;
    let program = home.target()?.join("release/towline");
    let begun_at = Instant::now();
    let (mut told, mut failed, mut kept) = (Told::default(), 0, Vec::<PathBuf>::new());
    let numbers = args.only.map_or(1..=args.runs, |only| only..=only);
    for number in numbers {
        let folder = TempDir::with_prefix("towline-soak-put-").context("making a folder")?;
        let plan = Plan::of(args.seed, number);
        let mut run = Run::new(&program, folder.path(), &plan);
        let ended = run.conduct();
        let own = run.told;
        say::note(format_args!("run {number}: {plan}: {own}"));
        if let Err(error) = ended {
            failed += 1;
            say::line(format_args!("VIOLATION: run {number} of seed {}: {error:#}", args.seed));
            drop(run);
            kept.push(folder.keep());
        }
        told.add(own);
    }
    let took = begun_at.elapsed().as_secs();
    say::line(format_args!("soak put: seed {}, {took} s, {told}", args.seed));
    say::line(format_args!("soak put: {} checks passed, {failed} failed", told.checks));
    if failed > 0 {
        bail!("the folders of the runs that failed are kept: {kept:?}");
    }
    Ok(())
}
