//! A bad line in front of a server, for soaks and benches: `towline chaos` as a child process, and what it counted.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::server::Server;

#[derive(Debug)]
pub(crate) struct Chaos {
    line: Server,
    log: PathBuf,
}

/// What a line has carried and done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Read from clients.
    pub up_bytes: u64,
    /// Connections that it cut or let fall silent, requests that it answered itself, replies that it swallowed.
    pub faults: u64,
}

impl Chaos {
    /// The log is this line's own.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        to: SocketAddr,
        flags: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(["chaos", "--json", "--listen=127.0.0.1:0", "--to"]).arg(to.to_string()).args(flags);
        let line = Server::start(&mut command, log).context("starting a bad line")?;
        Ok(Self { line, log: log.to_owned() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.line.address
    }

    /// Ends the line and everything on it.
    pub(crate) fn end(self) -> anyhow::Result<Tally> {
        self.line.end()?;
        let log = fs::read_to_string(&self.log).context("reading what a bad line said")?;
        let last = log.lines().last().context("a bad line said nothing")?;
        let counts: Value = serde_json::from_str(last).with_context(|| format!("no counts in {last:?}"))?;
        let of = |name: &str| counts[name].as_u64().with_context(|| format!("no {name} in {last}"));
        Ok(Tally {
            up_bytes: of("up_bytes")?,
            faults: of("cuts")? + of("stalls")? + of("errors")? + of("swallowed")?,
        })
    }
}
