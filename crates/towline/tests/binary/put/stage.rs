//! A person with a home, files, a server, and the lines between.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Server, towline};

pub(super) use crate::s3_store::bucket::{MIB, assert_same};

/// What requests weigh beside their bodies, all of a test together.
pub(super) const HEADS: usize = 64 * 1024;

/// A machine: a home, and nothing remembered at first.
#[derive(Debug)]
pub(super) struct Person {
    home: TempDir,
    settings: Vec<(String, String)>,
}

impl Person {
    pub(super) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), settings: Vec::new() }
    }

    /// Who comes in with these variables.
    pub(super) fn with<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut person = Self::new();
        person.settings(settings);
        person
    }

    /// The variables that hold from now on.
    pub(super) fn settings<'a>(&mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.settings = settings.collect();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The program, in the home of this person.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = towline();
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        command.current_dir(self.home.path()).env("HOME", self.home.path()).envs(settings).args(arguments);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// What a command that must go well writes to standard output.
    #[track_caller]
    pub(super) fn run_to_bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// It must go well. Gives the closing line of the only file.
    #[track_caller]
    pub(super) fn put(&self, arguments: &[&str]) -> Value {
        done(&self.run(&[&["put", "--json"], arguments].concat()))
    }

    /// It must be refused, and say so.
    #[track_caller]
    pub(super) fn refused(&self, arguments: &[&str]) -> String {
        refused(self.run(arguments))
    }

    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// With these bytes as standard input.
    pub(super) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }
}

/// A client at work. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Running(Option<Child>);

impl Running {
    /// Waits until so many parts have landed, as it says itself.
    pub(super) fn wait_for_parts(&mut self, parts: usize) {
        let said = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let (mut said, mut seen) = (Unbuffered(said), String::new());
        for _ in 0..parts {
            loop {
                let line = said.line();
                assert!(!line.is_empty(), "the client has ended: {seen}");
                seen.push_str(&line);
                if line.contains(r#""event":"landed""#) {
                    break;
                }
            }
        }
    }

    /// As a power cut for the process.
    pub(super) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(super) fn end(mut self) -> Ended {
        Ended::from(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

/// Reads lines without taking anything of what comes after them.
struct Unbuffered<'a>(&'a mut ChildStdout);

impl Unbuffered<'_> {
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') && self.0.read(&mut byte).unwrap() == 1 {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The closing line of the only file, which must be up.
#[track_caller]
pub(super) fn done(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let lines = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut done: Vec<Value> = lines.filter(|line| line["event"] == "done").collect();
    assert_eq!(done.len(), 1, "{}", ended.out);
    done.remove(0)
}

#[track_caller]
pub(super) fn refused(ended: Ended) -> String {
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert!(ended.err.lines().any(|line| line.starts_with("error: ")), "{}", ended.err);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    ended.err
}

/// What a closing line counts.
#[track_caller]
pub(super) fn count(done: &Value, name: &str) -> usize {
    usize::try_from(done[name].as_u64().unwrap()).unwrap()
}

/// A server with a data folder.
#[derive(Debug)]
pub(super) struct Stage {
    data: TempDir,
    pub(super) server: Server,
    flags: &'static [&'static str],
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    pub(super) fn with(flags: &'static [&'static str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = serve("127.0.0.1:0", data.path(), flags);
        Self { data, server, flags }
    }

    pub(super) fn url(&self) -> String {
        url_of(self.server.address())
    }

    pub(super) fn kill(&mut self) {
        self.server.kill();
    }

    /// At the same address, with the same data.
    pub(super) fn start_again(&mut self) {
        self.server = serve(&self.server.address().to_string(), self.data.path(), self.flags);
    }

    pub(super) fn path_of(&self, key: &str) -> PathBuf {
        self.data.path().join("completed").join(key)
    }

    /// The server shows a file with these bytes under this key.
    #[track_caller]
    pub(super) fn assert_arrived(&self, key: &str, bytes: &[u8]) {
        assert_same(&fs::read(self.path_of(key)).unwrap(), bytes);
    }

    /// Uploads that are neither finished nor given up.
    pub(super) fn unfinished(&self) -> usize {
        fs::read_dir(self.data.path().join("staging")).unwrap().count()
    }
}

fn serve(listen: &str, data: &Path, flags: &[&str]) -> Server {
    // How durable parts are is not what these tests ask.
    Server::start_at(listen, data, |command| {
        command.arg("--disk-sync=false").args(flags);
    })
}

pub(super) fn url_of(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// `towline chaos` in front of a server. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Chaos {
    child: Child,
    address: String,
}

impl Chaos {
    pub(super) fn start(to: &str, flags: &[&str]) -> Self {
        let mut command = towline();
        command.args(["chaos", "--json", "--listen", "127.0.0.1:0", "--to", to]).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').find(|word| word.starts_with("http://"));
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { child, address }
    }

    pub(super) fn url(&self) -> &str {
        &self.address
    }

    /// What it has carried and done.
    pub(super) fn end(mut self) -> Value {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let mut said = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        serde_json::from_str(&said).unwrap()
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        // Harmless when it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What went over a line, of clients.
#[track_caller]
pub(super) fn up_bytes(tally: &Value) -> usize {
    count(tally, "up_bytes")
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
