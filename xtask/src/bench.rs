//! `cargo xtask bench`: claims about speed, each measured beside its floor. Numbers, never verdicts: a busy machine
//! is no failure.

mod floor;
mod line;
mod load;
mod relay;
mod seal;
mod tools;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::home::Home;
use crate::process::run as run_step;
use crate::testbed::{Testbed, Tools};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Parts through the server to disk: GB/s, CPU seconds per GB, peak RSS, beside a bare loop
    Relay(relay::Args),
    /// What must not grow with the file: seal, status, and the pace of ten thousand parts
    Seal(seal::Args),
    /// Durable part facts a second in the catalog
    Facts,
    /// Signed URLs a second, by the signer alone
    Urls,
    /// Signed URLs, CPU and memory beside Uppy Companion, and parts relayed to S3
    Companion,
    /// A file over a slow, far line: one worker, four, as many as help; and a failure near the end
    Line(line::Args),
    /// `towline put` and `get` beside the AWS CLI, rclone and s3cmd on the same S3 server
    Tools(tools::Args),
    #[command(hide = true)]
    Floor(floor::Args),
    #[command(hide = true)]
    Load(load::Args),
}

pub(crate) fn run(home: &Home, bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Relay(args) => relay::run(&Programs::build(home)?, args),
        Bench::Seal(args) => seal::run(&Programs::build(home)?, args),
        Bench::Facts => cargo_bench(home, "towline-backends", "facts"),
        Bench::Urls => cargo_bench(home, "towline-sigv4", "urls"),
        Bench::Companion => companion(home),
        Bench::Line(args) => line::run(&Programs::build(home)?, args),
        Bench::Tools(args) => tools::run(home, args),
        Bench::Floor(args) => floor::run(args),
        Bench::Load(args) => load::run(args),
    }
}

fn cargo_bench(home: &Home, package: &str, bench: &str) -> anyhow::Result<()> {
    run_step(&mut home.cargo(["bench", "--locked", "--package", package, "--bench", bench]))
}

/// Both servers, the store and the load run on this machine.
fn companion(home: &Home) -> anyhow::Result<()> {
    let programs = Programs::build(home)?;
    let tools = Tools::install(home)?;
    let testbed = Testbed::start(home, &tools)?;
    let mut node = tools.npm();
    node.args(["run", "--silent", "bench"]).current_dir(home.root.join("web-tests"));
    run_step(node.env("TOWLINE_BIN", programs.towline).envs(testbed.variables()))
}

/// The optimised binaries: a bench that is itself slow would flatter the server.
#[derive(Debug)]
struct Programs {
    towline: PathBuf,
    xtask: PathBuf,
}

impl Programs {
    fn build(home: &Home) -> anyhow::Result<Self> {
        let build = ["build", "--release", "--locked", "--package", "towline", "--package", "xtask"];
        run_step(&mut home.cargo(build)).context("building what is measured")?;
        let folder = home.target()?.join("release");
        Ok(Self { towline: folder.join("towline"), xtask: folder.join("xtask") })
    }
}
