//! What must not grow with the file: the seal of a large upload, the status of one in many parts, and the time a
//! thousand parts take, at the beginning and at the end of ten thousand.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;

use super::Programs;
use crate::say;
use crate::server::Server;
use crate::session::{Begun, Client, Wish};

const LARGE_PART_BYTES: usize = 8 * 1024 * 1024;
const SMALL_PART_BYTES: usize = 1024;
const SMALL_PARTS: u32 = 10_000;
const STATUS_ROUNDS: u32 = 500;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The size of the upload that is sealed, GiB
    #[arg(long, default_value_t = 10)]
    gib: u32,
}

pub(super) fn run(programs: &Programs, args: &Args) -> anyhow::Result<()> {
    let folder = TempDir::with_prefix("towline-bench-").context("making a folder")?;
    let mut command = Command::new(&programs.towline);
    command.args(["serve", "--listen=127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
    let server = Server::start(&mut command, &folder.path().join("log"))?;
    let mut client = Client::open(server.address)?;
    say::line("| what | measured |");
    say::line("|---|---|");
    large(&mut client, args.gib)?;
    small(&mut client)?;
    server.kill()
}

/// The parts land durably, as by default: otherwise the seal would first have to write out what they did not.
fn large(client: &mut Client, gib: u32) -> anyhow::Result<()> {
    let parts = gib * 128;
    let begun = begin(client, "large.bin", parts, LARGE_PART_BYTES)?;
    let zeros = vec![0; LARGE_PART_BYTES];
    for part in 1..=parts {
        client.put(&begun.id, part, &zeros)?;
    }
    let start = Instant::now();
    client.complete(&begun.id)?;
    say::line(format_args!("| seal of {gib} GiB in {parts} parts | {} |", ms(start.elapsed())));
    Ok(())
}

fn small(client: &mut Client) -> anyhow::Result<()> {
    let begun = begin(client, "small.bin", SMALL_PARTS, SMALL_PART_BYTES)?;
    let bytes = vec![7; SMALL_PART_BYTES];
    let mut paces = Vec::new();
    for thousand in 0..SMALL_PARTS / 1000 {
        let start = Instant::now();
        for part in 1..=1000 {
            client.put(&begun.id, thousand * 1000 + part, &bytes)?;
        }
        paces.push(format!("{:.2}", start.elapsed().as_secs_f64()));
    }
    say::line(format_args!(
        "| each 1,000 of {SMALL_PARTS} parts, durable, one connection, s | {} |",
        paces.join(" ")
    ));

    let mut times = Vec::new();
    for _ in 0..STATUS_ROUNDS {
        let start = Instant::now();
        client.status(&begun.id)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    say::line(format_args!(
        "| status of {SMALL_PARTS} parts, median and p99 | {}, {} |",
        ms(median),
        ms(worst)
    ));

    let start = Instant::now();
    client.complete(&begun.id)?;
    say::line(format_args!("| seal of {SMALL_PARTS} parts | {} |", ms(start.elapsed())));
    Ok(())
}

fn begin(client: &mut Client, name: &str, parts: u32, part_bytes: usize) -> anyhow::Result<Begun> {
    let part_bytes = part_bytes as u64;
    let wish = Wish {
        filename: name.to_owned(),
        file_bytes: u64::from(parts) * part_bytes,
        part_bytes,
        sha256: None,
    };
    let begun = client.begin(&wish)?;
    anyhow::ensure!(
        begun.part_bytes == part_bytes,
        "the server cuts {} bytes, not {part_bytes}",
        begun.part_bytes
    );
    Ok(begun)
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
