//! The command line: one definition for parsing, help, completions and manual pages. What a client asks for is in the
//! files beside this one.

mod bench;
mod chaos;
mod client;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use towline_core::policy::Operation;
use towline_core::upload::PhaseName;
use towline_doors::OriginPattern;

use crate::config::{FolderFlags, ServerFlags};
use crate::exit::Exit;

pub(crate) use bench::Bench;
pub(crate) use chaos::Chaos;
pub(crate) use client::{Abort, Get, Put, Reach, Resume, Status, Verify, Way, is_place};

const EXAMPLES: &str = "\
Examples:
  towline serve                           serve ./towline-data on http://127.0.0.1:8000
  towline serve --listen 0.0.0.0:8000 --config towline.toml
  towline put video.mp4 http://127.0.0.1:8000
  towline get video.mp4 --server http://127.0.0.1:8000

Every setting is a flag, a TOWLINE_… variable or a line of the file: see `towline config`.";

const SERVE_EXAMPLES: &str = "\
Examples:
  towline serve --data /srv/uploads
  TOWLINE_TOKEN=… towline serve --listen 0.0.0.0:8000

`towline serve --help` lists all settings; each is also a TOWLINE_… variable or a line of the file.";

const LS_EXAMPLES: &str = "\
Examples:
  towline ls http://up.example:8000       what is unfinished there
  towline ls s3://bucket/2026/            what is unfinished in a bucket, below a prefix
  towline ls --data /srv/uploads          all uploads of a data folder, beside its running server

Without a place it is the server of TOWLINE_SERVER, if there is one, else ./towline-data.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  towline doctor --config /etc/towline.toml
  towline doctor --store s3 --s3-bucket uploads --origin https://app.example --fix

Exit code 0 when all is well, 1 when something is missing or wrong.";

/// Gets large files into storage: in parallel, resumably, provably intact
#[derive(Debug, Parser)]
#[command(name = "towline", version, after_help = EXAMPLES, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve uploads and downloads
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServerFlags),
    /// Upload files, over lines that break, to a server or straight to S3
    Put(Put),
    /// Download a file, over lines that break, and check it
    Get(Get),
    /// Compare a file with what is stored
    Verify(Verify),
    /// Go on with an unfinished upload
    Resume(Resume),
    /// Show how far an upload is, or all that were begun from this machine
    Status(Status),
    /// Give an unfinished upload up
    Abort(Abort),
    /// Show the uploads of a server, a bucket or a data folder
    #[command(after_help = LS_EXAMPLES)]
    Ls(Ls),
    /// Measure how part size and parallel parts change an upload to a server
    Bench(Bench),
    /// Be a bad line between a client and a server: slow, far away, and broken now and then
    Chaos(Chaos),
    /// Give up what expired and clear away what is left behind, while no server runs
    Sweep(Sweep),
    /// Show the settings that hold and where each comes from
    Config(Config),
    /// Make tokens for the server
    #[command(subcommand)]
    Token(Token),
    /// Show, make and revoke the access keys of the S3 door; a running server follows
    Keys(Keys),
    /// Look closer at settings, data folder and bucket, and say what is missing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Print completions for a shell
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of towline or of one of its commands
    Man { command: Option<String> },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    #[arg(help = "A server's URL or s3://BUCKET[/PREFIX]")]
    pub(crate) place: Option<String>,
    #[command(flatten)]
    pub(crate) folder: FolderFlags,
    /// Only uploads that are open, disputed, sealing, sealed, cancelled or expired; of data folders
    #[arg(long, value_name = "STATUS", value_parser = parse_phase)]
    pub(crate) status: Vec<PhaseName>,
    /// At most this many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,
    /// One JSON object on each line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sweep {
    #[command(flatten)]
    pub(crate) folder: FolderFlags,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) settings: ServerFlags,
    /// Print a JSON object instead of TOML
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// Print the reference of all settings
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) settings: ServerFlags,
    /// Set the bucket's CORS and lifecycle rules that are missing; rules of others stay
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Pages of this origin send to the bucket, too; may be given more than once
    #[arg(long = "origin", value_name = "ORIGIN", value_parser = parse_origin)]
    pub(crate) origins: Vec<OriginPattern>,
}

fn parse_origin(text: &str) -> Result<OriginPattern, String> {
    OriginPattern::parse(text).map_err(|bad| bad.to_string())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a random token; the server's settings get its hash only
    New {
        /// Uploads made with the token belong to this name
        #[arg(long, default_value = "default")]
        name: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Keys {
    #[command(flatten)]
    pub(crate) folder: FolderFlags,
    /// Show the secret keys, too
    #[arg(long)]
    pub(crate) secrets: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) change: Option<KeyChange>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyChange {
    /// Make a key
    New {
        #[command(flatten)]
        folder: FolderFlags,
        /// Files uploaded with the key belong to this name
        #[arg(long, default_value = "default")]
        name: String,
        /// Keys of files must start with this
        #[arg(long, default_value = "")]
        prefix: String,
        /// What it may do: upload, read, delete, manage (see everybody's files); all of it by default
        #[arg(long = "may", value_name = "VERB", value_delimiter = ',', value_parser = parse_operation)]
        operations: Vec<Operation>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a key away
    Revoke {
        #[command(flatten)]
        folder: FolderFlags,
        /// The access key, not the secret one
        access_key: String,
    },
}

fn parse_operation(name: &str) -> Result<Operation, String> {
    let names = Operation::ALL.map(Operation::name).join(", ");
    Operation::from_name(name).ok_or_else(|| format!("allowed is {names}"))
}

fn parse_phase(name: &str) -> Result<PhaseName, String> {
    let names = PhaseName::ALL.map(PhaseName::name).join(", ");
    PhaseName::from_name(name).ok_or_else(|| format!("allowed is {names}"))
}

/// Prints what clap has to say: help and version are data, errors are not.
pub(crate) fn explain(error: &clap::Error) -> Exit {
    // Nobody is left to be told when the terminal is gone.
    error.print().ok();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_short_help_of_every_command_fits_a_screen() {
        let mut command = Cli::command();
        command.build();
        for subcommand in command.get_subcommands_mut() {
            let help = subcommand.render_help().to_string();
            assert!(help.lines().count() <= 40, "{help}");
        }
        assert!(command.render_help().to_string().lines().count() <= 40);
    }
}
