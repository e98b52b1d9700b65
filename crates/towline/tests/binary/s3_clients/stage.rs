//! A server with a known access key, a folder for its clients, and the clients.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use towline_core::digest::hex;

use crate::support::{Ended, House, Server};

pub(super) const MIB: usize = 1024 * 1024;
/// A file that all three clients send in parts, the last of them a short one.
pub(super) const LARGE: usize = 100_000_000;

const ACCESS_KEY: &str = "AKIATOWLINETESTS";
/// With what a secret of AWS's may have and a careless client would not escape.
const SECRET_KEY: &str = "towline/tests+secret=of/forty+characters";
const PAIR: [&str; 4] = ["--s3-door-access-key", ACCESS_KEY, "--s3-door-secret-key", SECRET_KEY];

/// Without it the CLI and boto3 sign URLs and forms by version 2 in this region, which has tests of its own.
const CONFIG: &str = "[default]\ns3 =\n    signature_version = s3v4\n";

/// An access key and its secret.
pub(super) type Pair<'a> = (&'a str, &'a str);

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) house: House,
    pub(super) files: TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        let stage = Self { house: House::start(&PAIR), files: tempfile::tempdir().unwrap() };
        stage.write(".aws/config", CONFIG.as_bytes());
        stage
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.house.server.address()
    }

    /// As after a power cut.
    pub(super) fn kill_and_start_again(&mut self) {
        self.house.server.kill();
        self.house.server = Server::start_with(self.house.data.path(), |command| {
            command.args(PAIR);
        });
    }

    /// A file on the client's side.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.files.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A file on the client's side, as it is now.
    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.files.path().join(name)).unwrap()
    }

    /// The file that the server shows under this key has these bytes.
    #[track_caller]
    pub(super) fn assert_arrived(&self, key: &str, bytes: &[u8]) {
        assert_same(&fs::read(self.house.data.path().join("completed").join(key)).unwrap(), bytes);
    }

    /// Whether the server shows a file under this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.house.data.path().join("completed").join(key).exists()
    }

    /// The AWS CLI: what it did must have gone well. Gives what it printed.
    #[track_caller]
    pub(super) fn aws(&self, arguments: &[&str]) -> String {
        let ended = run(self.aws_at(self.address()).args(arguments));
        assert_eq!(ended.code, Some(0), "aws {arguments:?}\n{}{}", ended.out, ended.err);
        ended.out
    }

    /// The same of a command that prints JSON.
    #[track_caller]
    pub(super) fn s3api(&self, arguments: &[&str]) -> Value {
        let out = self.aws(&[&["s3api"], arguments].concat());
        if out.is_empty() { Value::Null } else { serde_json::from_str(&out).unwrap() }
    }

    /// The AWS CLI: it must have been refused with this code of S3's.
    #[track_caller]
    pub(super) fn refused(&self, code: &str, arguments: &[&str]) {
        self.refused_as((ACCESS_KEY, SECRET_KEY), code, arguments);
    }

    /// The same with another key.
    #[track_caller]
    pub(super) fn refused_as(&self, pair: Pair<'_>, code: &str, arguments: &[&str]) {
        let ended = self.aws_as(pair, arguments);
        assert!(ended.code.is_some_and(|code| code != 0), "aws {arguments:?} went well\n{}", ended.out);
        assert!(ended.err.contains(&format!("({code})")), "aws {arguments:?}\n{}", ended.err);
    }

    pub(super) fn aws_as(&self, (access_key, secret_key): Pair<'_>, arguments: &[&str]) -> Ended {
        let mut command = self.aws_at(self.address());
        command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
        run(command.args(arguments))
    }

    /// The AWS CLI, in the folder of the client's files.
    pub(super) fn aws_at(&self, address: SocketAddr) -> Command {
        let mut command = self.command(&program("TOWLINE_TEST_AWS"), address);
        command.env("AWS_PAGER", "").env("AWS_DEFAULT_OUTPUT", "json");
        command
    }

    /// Python with boto3 and `requests`.
    pub(super) fn python(&self) -> Command {
        self.command(&program("TOWLINE_TEST_BOTO_PYTHON"), self.address())
    }

    pub(super) fn rclone(&self) -> Command {
        let mut command = self.command(&program("TOWLINE_TEST_RCLONE"), self.address());
        command.env("RCLONE_CONFIG", self.files.path().join("none.conf")).args(["--retries", "1"]);
        for (name, value) in [
            ("TYPE", "s3"),
            ("PROVIDER", "Other"),
            ("ACCESS_KEY_ID", ACCESS_KEY),
            ("SECRET_ACCESS_KEY", SECRET_KEY),
            ("REGION", "us-east-1"),
            ("ENDPOINT", &format!("http://{}", self.address())),
        ] {
            command.env(format!("RCLONE_CONFIG_HERE_{name}"), value);
        }
        command
    }

    /// A client that knows nothing but what AWS's variables say.
    fn command(&self, program: &OsStr, address: SocketAddr) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.files.path()).stdin(Stdio::null());
        for (name, value) in [
            ("HOME", self.files.path().to_str().unwrap()),
            ("PYTHONUTF8", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &format!("http://{address}")),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // One failure is told as one failure.
            ("AWS_MAX_ATTEMPTS", "1"),
        ] {
            command.env(name, value);
        }
        command
    }

    /// What must be true when all is over.
    #[track_caller]
    pub(super) fn check(self) {
        self.house.check();
    }
}

pub(super) fn run(command: &mut Command) -> Ended {
    Ended::from(command.output().unwrap())
}

/// A client that `cargo xtask test` brings.
fn program(variable: &str) -> std::ffi::OsString {
    #[expect(clippy::disallowed_methods, reason = "the test command says by the environment what is there")]
    let program = std::env::var_os(variable);
    program.unwrap_or_else(|| panic!("{variable} is not set: run this test with `cargo xtask test`"))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[track_caller]
pub(super) fn assert_same(found: &[u8], sent: &[u8]) {
    assert_eq!((found.len(), sha256(found)), (sent.len(), sha256(sent)));
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
