//! The project's own commands; `cargo xtask help` lists them. Here only the command line is read.

mod bench;
mod chaos;
mod check;
mod home;
mod http;
mod mutants;
mod process;
mod say;
mod server;
mod session;
mod soak;
mod test;
mod testbed;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::home::Home;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole gate: formatting, lints, documentation, dependencies, tidiness and tests
    Check(check::Args),
    /// Every test of every crate, with the clients from other languages that they need
    Test,
    /// Starts the servers that tests want, prints the environment that names them, and keeps them until Ctrl-C
    Testbed,
    /// Owns the servers of the testbed until its stdin ends
    #[command(hide = true)]
    Keep(testbed::keeper::Args),
    /// Only the rules of the house that no other tool knows
    Tidy,
    /// Claims about speed, measured beside their floor
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Breaks the house's invariants one by one, and wants the named test to die
    Mutants(mutants::Args),
    /// Long runs that look for what is lost
    #[command(subcommand)]
    Soak(soak::Soak),
}

fn main() -> ExitCode {
    match run(Line::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let home = Home::find()?;
    match command {
        Command::Check(args) => check::run(&home, &args),
        Command::Test => test::run(&home),
        Command::Testbed => testbed::run(&home),
        Command::Keep(args) => testbed::keeper::run(&args),
        Command::Tidy => tidy::run(&home),
        Command::Bench(bench) => bench::run(&home, &bench),
        Command::Mutants(args) => mutants::run(&home, &args),
        Command::Soak(soak) => soak::run(&home, &soak),
    }
}
