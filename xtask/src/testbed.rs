//! The testbed: servers and clients of other people's, brought here at pinned versions, started, and named to the tests
//! by the environment. `cargo xtask testbed` keeps it up for whoever runs single tests.

mod apt;
mod daemon;
mod garage;
pub(crate) mod keeper;
mod npm;
mod swift;
mod venv;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::home::Home;
use crate::say;
use keeper::Keeper;

const BUCKET: &str = "towline";

/// What is installed, whether servers run or not.
#[derive(Debug)]
pub(crate) struct Tools {
    garage: PathBuf,
    swift_python: PathBuf,
    python: PathBuf,
    programs: apt::Programs,
    /// The folders of the work tree that hold a package of npm's, ready to run.
    pub(crate) packages: Vec<PathBuf>,
}

impl Tools {
    /// Installs what is missing: many minutes on a new machine, about a second from then on.
    pub(crate) fn install(home: &Home) -> anyhow::Result<Self> {
        fs::create_dir_all(&home.cache).with_context(|| format!("creating {}", home.cache.display()))?;
        let lock = File::create(home.cache.join("testbed.lock")).context("creating the cache's lock")?;
        // Two work trees may share the cache and test at once: the second waits for the first one's work.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            say::note("another run is installing tools; waiting for it");
            lock.lock().context("locking the cache")?;
        }
        let (_, has_garage) = garage::find(home);
        let programs = apt::bring(
            home,
            if has_garage { &[] } else { &[("cc", "build-essential"), ("pkg-config", "pkg-config")] },
        )?;
        Ok(Self {
            swift_python: venv::make(home, &programs.python, "swift")?,
            python: venv::make(home, &programs.python, "clients")?,
            packages: npm::install(home, &programs.npm)?,
            garage: garage::install(home)?,
            programs,
        })
    }

    pub(crate) fn npm(&self) -> Command {
        Command::new(&self.programs.npm)
    }

    pub(crate) fn aws(&self) -> PathBuf {
        self.python.with_file_name("aws")
    }

    pub(crate) fn rclone(&self) -> PathBuf {
        self.programs.rclone.clone()
    }

    /// Only a bench wants it: it is not installed with the rest.
    pub(crate) fn s3cmd(&self, home: &Home) -> anyhow::Result<PathBuf> {
        Ok(venv::make(home, &self.programs.python, "s3cmd")?.with_file_name("s3cmd"))
    }

    /// What tests are told of the tools.
    fn variables(&self) -> Vec<(String, OsString)> {
        let aws = self.aws();
        [
            ("TOWLINE_TEST_GARAGE_BIN", &self.garage),
            ("TOWLINE_TEST_PYTHON", &self.python),
            ("TOWLINE_TEST_BOTO_PYTHON", &self.python),
            ("TOWLINE_TEST_AWS", &aws),
            ("TOWLINE_TEST_RCLONE", &self.programs.rclone),
            ("TOWLINE_TEST_CHROMIUM", &self.programs.chromium),
            ("TOWLINE_TEST_NODE", &self.programs.node),
        ]
        .map(|(name, path)| (name.to_owned(), path.as_os_str().to_owned()))
        .into()
    }
}

/// The servers, running. They stop when this is dropped, and also when this process dies.
#[derive(Debug)]
pub(crate) struct Testbed {
    keeper: Keeper,
    variables: Vec<(String, OsString)>,
}

impl Testbed {
    pub(crate) fn start(home: &Home, tools: &Tools) -> anyhow::Result<Self> {
        let keeper = Keeper::start(home, &tools.garage, &tools.swift_python)?;
        let places = keeper.places.iter().map(|(name, value)| (name.clone(), OsString::from(value)));
        let variables = places.chain(tools.variables()).collect();
        Ok(Self { keeper, variables })
    }

    /// What a test must know to find servers and clients.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &OsString)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// `cargo xtask testbed`
pub(crate) fn run(home: &Home) -> anyhow::Result<()> {
    let testbed = Testbed::start(home, &Tools::install(home)?)?;
    for (name, value) in testbed.variables() {
        say::line(format_args!("export {name}={}", quoted(&value.to_string_lossy())));
    }
    say::note("the servers run until Ctrl-C");
    testbed.keeper.watch()
}

/// As one word of a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Where an S3 server is, and how to come in.
#[derive(Debug)]
struct Place {
    endpoint: String,
    region: &'static str,
    access_key: &'static str,
    secret_key: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{BUCKET},{},{}", self.endpoint, self.region, self.access_key, self.secret_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_five_words() {
        let place = Place {
            endpoint: "http://127.0.0.1:3900".to_owned(),
            region: "garage",
            access_key: "key",
            secret_key: "secret",
        };
        assert_eq!(place.to_string(), "http://127.0.0.1:3900,garage,towline,key,secret");
    }

    #[test]
    fn a_value_stays_one_word_of_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
