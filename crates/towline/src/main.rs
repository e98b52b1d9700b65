//! The server and the command line. What the commands do is in `commands`, what holds is in `config`.

mod bench;
mod chaos;
mod cli;
mod client;
mod clock;
mod commands;
mod config;
mod exit;
mod keys;
mod listen;
mod output;
mod progress;
mod telemetry;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::explain(&error).into(),
    };
    match commands::run(cli.command) {
        Ok(exit) => exit.into(),
        Err(complaint) => {
            output::say(&complaint.to_text());
            complaint.exit.into()
        }
    }
}
