//! `cargo xtask soak`: long runs that look for what is lost, each from a seed.

mod gate;
mod kill;
mod ledger;
mod life;
mod put;

use crate::home::Home;
use crate::process::run as run_step;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Soak {
    /// Kills the real server at random moments under parallel uploads, and looks for every acknowledged byte
    Kill(kill::Args),
    /// Sends files with `towline put` over bad lines, through kills of either end and changes of the file
    Put(put::Args),
    /// Random lives of the engine, with faults, cuts, takeovers and a disk that lies
    Stories(Stories),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stories {
    /// How many lives
    #[arg(long, default_value_t = 2000)]
    seeds: u32,
}

pub(crate) fn run(home: &Home, soak: &Soak) -> anyhow::Result<()> {
    match soak {
        Soak::Kill(args) => kill::run(home, args),
        Soak::Put(args) => put::run(home, args),
        Soak::Stories(stories) => {
            let mut tests = home.cargo([
                "test",
                "--release",
                "--locked",
                "--package",
                "towline-core",
                "--features",
                "testing",
                "--test",
                "stories",
                "--",
                "--nocapture",
            ]);
            run_step(tests.env("TOWLINE_STORY_SEEDS", stories.seeds.to_string()))
        }
    }
}
