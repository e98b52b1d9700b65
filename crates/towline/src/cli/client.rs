//! What `get`, `verify` and the commands for unfinished uploads are asked, and what all clients' commands share: the way
//! to the other end. `put` is in a file of its own.

mod put;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueHint;

use crate::config::{ClientFlags, WHERE};

pub(crate) use put::Put;

const GET_EXAMPLES: &str = "\
Examples:
  towline get photos/a.jpg                          from the server of TOWLINE_SERVER
  towline get s3://bucket/video.mp4 /tmp/
  towline get http://up.example:8000/download/video.mp4 copy.mp4

Broken off? The same command again goes on. Nothing appears under FILE before its digest was compared.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  towline verify video.mp4                          the same name on the server of TOWLINE_SERVER
  towline verify a.jpg photos/a.jpg http://up.example:8000
  towline verify video.mp4 s3://bucket/video.mp4

Exit code 0 when they are the same, 1 when they differ.";

const RESUME_EXAMPLES: &str = "\
Examples:
  towline resume 6f1c2a90                           the file and the place are remembered
  towline resume 6f1c… --file video.mp4 --to http://up.example:8000";

const STATUS_EXAMPLES: &str = "\
Examples:
  towline status --all                              what was begun from this machine
  towline status 6f1c… --to http://up.example:8000  an upload that was begun elsewhere";

const PLACES: &str = "http(s)://SERVER or s3://BUCKET/KEY";

/// The way to the other end.
#[derive(Debug, clap::Args)]
pub(crate) struct Way {
    #[command(flatten)]
    pub(crate) settings: ClientFlags,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// The way to buckets.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    #[arg(long, value_name = "URL", help_heading = WHERE, value_hint = ValueHint::Url)]
    #[arg(help = "The address of an S3 that is not AWS's [env: AWS_ENDPOINT_URL_S3]")]
    pub(crate) endpoint: Option<String>,
    #[arg(long, help_heading = WHERE, help = "The region of the bucket [env: AWS_REGION]")]
    pub(crate) region: Option<String>,
}

/// How much is said.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Voice {
    /// One JSON object on each line: what happens, then the outcome
    #[arg(long)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct Get {
    #[arg(value_name = "KEY|URL", help = "A key on the server, s3://BUCKET/KEY, or any http(s) URL")]
    pub(crate) from: String,
    /// The file or folder to write, `-` for standard output [default: the name in this folder]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) file: Option<PathBuf>,
    /// How many ranges are read at once [default: 4]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(flatten)]
    pub(crate) way: Way,
}

#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_EXAMPLES, override_usage = "towline verify [OPTIONS] <FILE> [KEY] [DEST]")]
pub(crate) struct Verify {
    /// The file here
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    #[arg(value_name = "KEY|DEST", num_args = 0..=2)]
    #[arg(help = format!("Its key, if it is not the file's name; last, where it is stored: {PLACES}"))]
    pub(crate) rest: Vec<String>,
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(flatten)]
    pub(crate) way: Way,
}

#[derive(Debug, clap::Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub(crate) struct Resume {
    /// The upload; of a remembered one the first eight characters will do
    pub(crate) id: String,
    /// The file, where another one is remembered or none
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    #[arg(long, value_name = "DEST", help = format!("Where the upload is: {PLACES}"))]
    pub(crate) to: Option<String>,
    /// How many parts are sent at once [default: as many as help]
    #[arg(long, value_name = "COUNT", value_parser = put::parse_workers())]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(flatten)]
    pub(crate) way: Way,
}

#[derive(Debug, clap::Args)]
#[command(after_help = STATUS_EXAMPLES)]
pub(crate) struct Status {
    /// The upload; of a remembered one the first eight characters will do [default: all]
    pub(crate) id: Option<String>,
    /// All uploads that were begun from this machine and are not known to have ended
    #[arg(long, conflicts_with = "id")]
    pub(crate) all: bool,
    #[arg(long, value_name = "DEST", help = format!("Where the upload is: {PLACES}"))]
    pub(crate) to: Option<String>,
    /// One JSON object on each line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) way: Way,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Abort {
    /// The upload; of a remembered one the first eight characters will do
    pub(crate) id: String,
    #[arg(long, value_name = "DEST", help = format!("Where the upload is: {PLACES}"))]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) way: Way,
}

/// What is to be uploaded, and last, perhaps, where to.
pub(crate) fn is_place(text: &OsString) -> bool {
    text.to_str().is_some_and(|text| text.contains("://"))
}
