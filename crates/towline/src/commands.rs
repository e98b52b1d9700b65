//! What each command does.

mod abort;
mod bench;
mod chaos;
mod config;
mod doctor;
mod get;
mod keys;
mod ls;
mod paper;
mod put;
mod resume;
mod serve;
mod status;
mod sweep;
mod token;
mod uploads;
mod verify;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::cli::Command;
use crate::config::Settings;
use crate::exit::{Complaint, Exit};
use crate::wiring;

pub(crate) fn run(command: Command) -> Result<Exit, Complaint> {
    match command {
        Command::Serve(settings) => serve::run(settings),
        Command::Put(put) => put::run(put),
        Command::Get(get) => get::run(get),
        Command::Verify(verify) => verify::run(verify),
        Command::Resume(resume) => resume::run(resume),
        Command::Status(status) => status::run(status),
        Command::Abort(abort) => abort::run(abort),
        Command::Bench(bench) => bench::run(bench),
        Command::Chaos(chaos) => chaos::run(chaos),
        Command::Ls(ls) => ls::run(ls),
        Command::Sweep(sweep) => sweep::run(sweep),
        Command::Config(config) => config::run(config),
        Command::Token(token) => token::run(token),
        Command::Keys(keys) => keys::run(keys),
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Completions { shell } => paper::completions(shell),
        Command::Man { command } => paper::manual(command.as_deref()),
    }
}

/// The catalog of a data folder that is there: looking must not make one.
fn existing_catalog(settings: &Settings) -> Result<PathBuf, Complaint> {
    let path = wiring::catalog_path(&settings.data);
    if path.is_file() {
        return Ok(path);
    }
    let complaint = anyhow::anyhow!("{} is no data folder of Towline", settings.data.display());
    Err(Complaint::from(complaint).hint("say which with --data DIR"))
}

/// Runs a command that needs no threads of its own.
fn block_on<T>(task: impl Future<Output = Result<T, Complaint>>) -> Result<T, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(task)
}

/// Runs a command that moves many bytes. What is still under way at its end is given up.
fn threaded<T>(task: impl Future<Output = Result<T, Complaint>>) -> Result<T, Complaint> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let done = runtime.block_on(task);
    // A read of standard input may never end.
    runtime.shutdown_background();
    done
}
