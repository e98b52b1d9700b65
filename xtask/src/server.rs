//! A server as a child process: started, asked for its address, measured, and killed without mercy.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, PipeReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::process::stdout_of;

const START_WAIT: Duration = Duration::from_secs(30);
/// The unit of `/proc/<pid>/stat`, the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub address: SocketAddr,
    /// Ends when the program has said its last word.
    keeping: Option<JoinHandle<()>>,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub cpu_s: f64,
    pub peak_rss_mib: f64,
}

impl Server {
    /// Starts the program and waits for the line in which it says where it listens. All its lines go to the end of
    /// the log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let (mut child, lines) = spawn(command)?;
        let log_file = OpenOptions::new().create(true).append(true).open(log).context("opening the log")?;
        let (sender, receiver) = mpsc::channel();
        let keeping = thread::spawn(move || keep_lines(lines, log_file, &sender));
        if let Ok(address) = receiver.recv_timeout(START_WAIT) {
            return Ok(Self { child, address, keeping: Some(keeping) });
        }
        child.kill().context("killing a server that did not start")?;
        let status = child.wait().context("waiting for a server that did not start")?;
        let log = fs::read_to_string(log).unwrap_or_default();
        let from = log.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
        bail!("no address after the start ({status}); the log ends:\n{}", &log[from..]);
    }

    /// Starts the program and kills it after a moment, wherever it has got to.
    pub(crate) fn start_and_kill(command: &mut Command, after: Duration) -> anyhow::Result<()> {
        let (mut child, lines) = spawn(command)?;
        thread::sleep(after);
        child.kill().context("killing a starting server")?;
        child.wait().context("waiting for a killed server")?;
        drop(lines);
        Ok(())
    }

    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("killing the server")?;
        self.child.wait().context("waiting for the killed server")?;
        Ok(())
    }

    /// Asks it to end, and waits until it has, and until its log is whole.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        stdout_of(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        self.child.wait().context("waiting for the end of the server")?;
        if self.keeping.take().is_some_and(|keeping| keeping.join().is_err()) {
            bail!("the log of the server could not be kept");
        }
        Ok(())
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let stat = fs::read_to_string(process.join("stat")).context("reading the server's stat")?;
        let status = fs::read_to_string(process.join("status")).context("reading the server's status")?;
        let cpu_s = cpu_ticks(&stat).context("the server's stat has no times")? / TICKS_PER_S;
        let peak_kib = peak_rss_kib(&status).context("the server's status has no VmHWM")?;
        Ok(Usage { cpu_s, peak_rss_mib: peak_kib / 1024.0 })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // No process is left behind when a bench gives up half-way. Killing twice is harmless.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(command: &mut Command) -> anyhow::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe().context("making a pipe")?;
    let again = writer.try_clone().context("sharing a pipe")?;
    let child = command.stdout(writer).stderr(again).spawn().context("starting the server")?;
    // The command holds the writing ends: without this the pipe never ends.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    Ok((child, reader))
}

fn keep_lines(lines: PipeReader, mut log: File, found: &mpsc::Sender<SocketAddr>) {
    for line in BufReader::new(lines).lines() {
        let Ok(line) = line else { break };
        writeln!(log, "{line}").ok();
        if let Some(address) = address_in(&line) {
            // Only the first one is waited for.
            found.send(address).ok();
        }
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']')));
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// User and system time; the program's name before them may hold anything, spaces and brackets too.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|field| field.parse().ok());
    let user: u32 = times.next()??;
    let system: u32 = times.next()??;
    Some(f64::from(user) + f64::from(system))
}

fn peak_rss_kib(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u32 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kib))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_prose_and_in_json() {
        let address: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(address_in("towline serves . on http://127.0.0.1:4711, data in x"), Some(address));
        assert_eq!(address_in(r#"{"message":"ready","url":"http://127.0.0.1:4711"}"#), Some(address));
        assert_eq!(address_in("docs at http://127.0.0.1:4711/api/docs"), Some(address));
        assert_eq!(address_in("http://example.com/"), None);
        assert_eq!(address_in("starting"), None);
    }

    #[test]
    fn times_are_read_past_a_strange_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(300.0));
        assert_eq!(peak_rss_kib("VmPeak:\t  9 kB\nVmHWM:\t   2048 kB\n"), Some(2048.0));
    }
}
