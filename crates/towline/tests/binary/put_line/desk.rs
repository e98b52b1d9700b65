//! A person's place: a home, a folder with files, and the commands that are typed there.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, noise, towline};

pub(super) struct Desk {
    home: TempDir,
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Desk {
    pub(super) fn new(environment: &[(&str, &str)]) -> Self {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { home: tempfile::tempdir().unwrap(), folder: tempfile::tempdir().unwrap(), environment }
    }

    /// Another machine: the same files, and nothing remembered.
    pub(super) fn elsewhere(self) -> Self {
        Self { home: tempfile::tempdir().unwrap(), ..self }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file of noise; gives its bytes.
    pub(super) fn file(&self, name: &str, bytes: usize) -> Vec<u8> {
        let content = noise(bytes as u64, bytes);
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &content).unwrap();
        content
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = towline();
        command.args(arguments).current_dir(self.path()).env("HOME", self.home.path());
        // Nothing of AWS but what a test says: no instance answers here.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// Runs what must go well; gives what it printed.
    #[track_caller]
    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}\n{}{}", ended.out, ended.err);
        ended.out
    }

    /// The events of a run with `--json`.
    #[track_caller]
    pub(super) fn events(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}\n{}{}", ended.out, ended.err);
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// With what differs from run to run struck out.
    pub(super) fn clean(&self, text: &str) -> String {
        text.replace(self.path().to_str().unwrap(), "DIR").replace(self.home.path().to_str().unwrap(), "HOME")
    }
}

/// The first event of this name.
#[track_caller]
pub(super) fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let found = events.iter().find(|event| event["event"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {events:#?}"))
}
