//! The clients of `bench relay`, in a process of their own: one upload per connection, all parts from one buffer.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;

use crate::say;
use crate::session::{Begun, Client, Wish};

pub(super) const PART_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server
    #[arg(long)]
    to: SocketAddr,
    /// How many clients at once
    #[arg(long)]
    connections: u32,
    /// How many parts each of them sends
    #[arg(long)]
    parts: u32,
}

/// Prints the seconds from the first part's first byte to the last one's reply.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // Not all zeros: a file system may treat those as a special case.
    let bytes: Vec<u8> = (0..PART_BYTES).map(|at| u8::try_from(at % 251).expect("less than 251")).collect();
    let ready = Barrier::new(args.connections as usize);
    let spans = thread::scope(|scope| {
        let clients: Vec<_> = (0..args.connections)
            .map(|connection| {
                let (bytes, ready) = (&bytes, &ready);
                scope.spawn(move || send(args, connection, bytes, ready))
            })
            .collect();
        let ends = clients.into_iter().map(|client| client.join().expect("a client does not panic"));
        ends.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let first = spans.iter().map(|(start, _)| *start).min().context("no connection")?;
    let last = spans.iter().map(|(_, end)| *end).max().context("no connection")?;
    say::line((last - first).as_secs_f64());
    Ok(())
}

fn send(args: &Args, connection: u32, bytes: &[u8], ready: &Barrier) -> anyhow::Result<(Instant, Instant)> {
    let begun = begin(args, connection);
    // Everybody comes here, also those that could not begin: the others wait for all.
    ready.wait();
    let (mut client, begun) = begun?;
    let start = Instant::now();
    for part in 1..=args.parts {
        client.put(&begun.id, part, bytes)?;
    }
    Ok((start, Instant::now()))
}

fn begin(args: &Args, connection: u32) -> anyhow::Result<(Client, Begun)> {
    let mut client = Client::open(args.to)?;
    let wish = Wish {
        filename: format!("relay-{connection}.bin"),
        file_bytes: u64::from(args.parts) * PART_BYTES,
        part_bytes: PART_BYTES,
        sha256: None,
    };
    let begun = client.begin(&wish)?;
    Ok((client, begun))
}
