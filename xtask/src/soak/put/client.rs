//! One `towline put` or `towline get` as a child process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// A client that takes longer hangs.
const LIFE_MAX: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub(super) struct Client {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    end_by: Instant,
}

/// How a client ended that nobody killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Done {
        retries: u64,
    },
    /// It said why.
    Refused,
}

impl Client {
    /// What it says goes to files in this folder.
    pub(super) fn start(command: &mut Command, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let to = |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
        let child = command.stdin(Stdio::null()).stdout(to(&out)?).stderr(to(&err)?).spawn();
        let child = child.context("starting a client")?;
        Ok(Self { child, out, err, end_by: Instant::now() + LIFE_MAX })
    }

    /// Waits for its end, but not longer than until then.
    pub(super) fn wait_until(&mut self, moment: Instant) -> anyhow::Result<Option<Ending>> {
        loop {
            if let Some(status) = self.child.try_wait().context("looking after a client")? {
                return self.judge(status).map(Some);
            }
            let now = Instant::now();
            if now >= moment {
                return Ok(None);
            }
            if now >= self.end_by {
                bail!("the client hangs: {}", self.last_words());
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    pub(super) fn wait(&mut self) -> anyhow::Result<Ending> {
        let never = self.end_by + LIFE_MAX;
        self.wait_until(never)?.context("the client outlives its limit")
    }

    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("killing a client")?;
        self.child.wait().context("waiting for a killed client")?;
        self.check_panic()
    }

    fn judge(&self, status: ExitStatus) -> anyhow::Result<Ending> {
        self.check_panic()?;
        match status.code() {
            Some(0) => Ok(Ending::Done { retries: self.retries()? }),
            Some(1) => {
                let said = fs::read_to_string(&self.err).context("reading a client's errors")?;
                ensure!(
                    said.lines().any(|line| line.starts_with("error: ")),
                    "a client failed without an error: {}",
                    self.last_words()
                );
                Ok(Ending::Refused)
            }
            Some(code) => bail!("a client ended with {code}: {}", self.last_words()),
            None => bail!("a client ended with {status}: {}", self.last_words()),
        }
    }

    /// As its closing line says.
    fn retries(&self) -> anyhow::Result<u64> {
        let said = fs::read_to_string(&self.out).context("reading what a client said")?;
        let lines = said.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>();
        let lines = lines.context("a client said something that is no JSON")?;
        let done = lines.iter().find(|line| line["event"] == "done");
        let done = done.with_context(|| format!("a client is done and does not say so: {said}"))?;
        Ok(done["retries"].as_u64().unwrap_or(0))
    }

    fn check_panic(&self) -> anyhow::Result<()> {
        let said = fs::read_to_string(&self.err).context("reading a client's errors")?;
        ensure!(!said.contains("panicked"), "a client panicked: {said}");
        Ok(())
    }

    fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.err).unwrap_or_default();
        said.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Nobody is left behind when a run ends early. Killing twice is harmless.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
