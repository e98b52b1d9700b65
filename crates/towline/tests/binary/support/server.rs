//! The program as a child process. Nothing is left behind: a server that is dropped is killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::http::{Connection, Reply};

const START_WAIT: Duration = Duration::from_secs(30);

/// The program, without settings from the environment of the test.
pub(crate) fn towline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Ended::from(towline().args(arguments).output().unwrap())
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nothing when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A server that accepts connections.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<String>>,
    /// Locked so that threads of a test can share the server.
    lines: Mutex<Receiver<String>>,
}

impl Server {
    /// On a free port, with the default settings.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, |_| {})
    }

    /// On a free port; `change` may add flags and variables.
    pub(crate) fn start_with(data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        Self::start_at("127.0.0.1:0", data, change)
    }

    pub(crate) fn start_at(listen: &str, data: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = towline();
        command.args(["serve", "--listen", listen, "--data"]).arg(data);
        change(&mut command);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        let lines = Mutex::new(lines);
        let log = thread::spawn(move || {
            let (mut all, mut line) = (String::new(), String::new());
            while log.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                all.push_str(&line);
                sender.send(std::mem::take(&mut line)).ok();
            }
            all
        });
        let mut server = Self { child, address: SocketAddr::from(([0; 4], 0)), log: Some(log), lines };
        let line = server.wait_for_line("http://");
        server.address = address_in(&line).unwrap_or_else(|| panic!("no address in {line:?}"));
        server
    }

    /// The next line of the log with this text.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.get_mut().unwrap().recv_timeout(START_WAIT) else {
                panic!("the server never said {text:?}; its log:\n{}", self.kill());
            };
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// One request on a connection of its own, with a JSON body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.connect().send(method, path, &[], body.to_string().as_bytes())
    }

    /// One request on a connection of its own, without a body.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.connect().send("GET", path, &[], b"")
    }

    /// As a power cut for the process: nothing of it runs any more. Gives the log.
    pub(crate) fn kill(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.read_log()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end; gives the exit code and the log.
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.read_log())
    }

    fn read_log(&mut self) -> String {
        self.log.take().map(|log| log.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Harmless when it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// A server that must not start: how it ended.
impl Ended {
    pub(crate) fn of_serve(data: &Path, arguments: &[&str]) -> Self {
        let mut child = towline()
            .args(["serve", "--data"])
            .arg(data)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let mut ended = Self::from(child.wait_with_output().unwrap());
        ended.err = err;
        ended
    }
}
