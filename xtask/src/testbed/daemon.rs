//! A server of somebody else's in the background: its own log, a bounded wait until it is ready, and an end.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Python on a busy machine takes its time.
const START_WAIT: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOG_BYTES_SHOWN: usize = 3000;

#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(super) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let again = file.try_clone().context("sharing a log")?;
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(again).spawn();
        Ok(Self { child: child.with_context(|| format!("starting {name}"))?, log: log.to_owned() })
    }

    /// Looks again and again, until it is ready, gone, or out of time.
    pub(super) fn wait_until(&mut self, is_ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + START_WAIT;
        while !is_ready() {
            if let Some(status) = self.child.try_wait().context("looking after a server")? {
                bail!("it ended at once ({status}); its log ends:\n{}", self.end_of_log());
            }
            if Instant::now() > end {
                bail!("not ready after {} s; its log ends:\n{}", START_WAIT.as_secs(), self.end_of_log());
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let from = log.len().saturating_sub(LOG_BYTES_SHOWN);
        String::from_utf8_lossy(&log[from..]).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It holds nothing that anybody wants to keep.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Ports that were free a moment ago. Somebody may be quicker: a start that fails is tried again with others.
pub(super) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    // All are held until the last is found: else the same one might come twice.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
        *port = listener.local_addr().context("asking for a free port's number")?.port();
        held.push(listener);
    }
    Ok(ports)
}

pub(super) fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), START_WAIT).is_ok()
}
