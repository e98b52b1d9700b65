//! `cargo xtask test`: brings what the tests need from outside, then runs them all.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::home::Home;
use crate::{say, tools};

pub(crate) fn run(home: &Home) -> anyhow::Result<()> {
    let python = tools::python(home)?;
    let mut tests = home.cargo(["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"]);
    tests.env("TOWLINE_TEST_PYTHON", python);
    let tally = run_and_count(&mut tests)?;
    say::line(format_args!(
        "test: {} runners, {} tests passed, {} failed, {} ignored",
        tally.runners, tally.passed, tally.failed, tally.ignored
    ));
    if tally.failed > 0 || !tally.is_whole {
        bail!("some tests failed");
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    runners: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Cargo itself says that all went well: a test binary that does not build has no closing line to count.
    is_whole: bool,
}

/// Shows everything the runners say, and adds up their closing lines.
fn run_and_count(tests: &mut Command) -> anyhow::Result<Tally> {
    let mut child = tests.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no stdout")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading what cargo test says")?;
        say::line(&line);
        tally.count(&line);
    }
    tally.is_whole = child.wait().context("waiting for cargo test")?.success();
    Ok(tally)
}

impl Tally {
    /// Adds a line like `test result: ok. 12 passed; 0 failed; 1 ignored; …`; all other lines count nothing.
    fn count(&mut self, line: &str) {
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|verdict| verdict.split_once(". "))
        else {
            return;
        };
        self.runners += 1;
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_the_runners_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured; 7 filtered out; finished in 0.01s",
        ] {
            tally.count(line);
        }
        assert_eq!(tally, Tally { runners: 2, passed: 4, failed: 2, ignored: 4, is_whole: false });
    }
}
