//! `cargo xtask test`: brings what the tests need from outside, then runs them all: those of the crates, then those that
//! drive browsers.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::home::Home;
use crate::process::run as run_step;
use crate::say;
use crate::testbed::{Testbed, Tools};

pub(crate) fn run(home: &Home) -> anyhow::Result<()> {
    let tools = Tools::install(home)?;
    run_step(&mut home.cargo(["build", "--locked", "--package", "towline"]))?;
    let towline = home.target()?.join("debug/towline");
    let testbed = Testbed::start(home, &tools)?;

    let mut tests = home.cargo(["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"]);
    let mut tally = run_and_count(tests.envs(testbed.variables()))?;
    for folder in &tools.packages {
        let mut tests = tools.npm();
        tests.args(["run", "test", "--if-present"]).current_dir(folder);
        let part = run_and_count(tests.envs(testbed.variables()).env("TOWLINE_BIN", &towline))?;
        say::line(format_args!("{}: {part}", name_of(home, folder)));
        tally.add(&part);
    }
    say::line(format_args!("test: {tally}"));
    if tally.failed > 0 || !tally.is_whole {
        bail!("some tests failed");
    }
    Ok(())
}

fn name_of<'a>(home: &Home, folder: &'a Path) -> std::path::Display<'a> {
    folder.strip_prefix(&home.root).unwrap_or(folder).display()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    runners: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
    /// The runners themselves say that all went well: a test binary that does not build has no closing line to count.
    is_whole: bool,
}

/// Shows everything the runners say, and adds up their closing lines.
fn run_and_count(tests: &mut Command) -> anyhow::Result<Tally> {
    let name = Path::new(tests.get_program()).display().to_string();
    let mut child = tests.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {name}"))?;
    let stdout = child.stdout.take().with_context(|| format!("{name} has no stdout"))?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("reading what {name} says"))?;
        say::line(&line);
        tally.count(&line);
    }
    tally.is_whole = child.wait().with_context(|| format!("waiting for {name}"))?.success();
    Ok(tally)
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.runners += other.runners;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.is_whole &= other.is_whole;
    }

    /// Adds what a closing line says; all other lines count nothing.
    fn count(&mut self, line: &str) {
        if let Some(verdict) = line.strip_prefix("test result: ") {
            self.count_cargo(verdict);
        } else if let Some(fact) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            self.count_node(fact);
        }
    }

    /// `ok. 12 passed; 0 failed; 1 ignored; …`
    fn count_cargo(&mut self, verdict: &str) {
        let Some((_, counts)) = verdict.split_once(". ") else {
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

    /// Node closes with one line for each number: `tests 3`, `pass 2`, `fail 0`, `cancelled 1`, …
    fn count_node(&mut self, fact: &str) {
        let Some((what, number)) = fact.split_once(' ') else {
            return;
        };
        let Ok(number) = number.parse::<u64>() else {
            return;
        };
        match what {
            "tests" => self.runners += 1,
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.ignored += number,
            _ => {}
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { runners, passed, failed, ignored, is_whole: _ } = self;
        write!(f, "{runners} runners, {passed} tests passed, {failed} failed, {ignored} ignored")
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

    #[test]
    fn the_closing_lines_of_node_are_counted_in_both_its_spellings() {
        for mark in ["#", "ℹ"] {
            let mut tally = Tally::default();
            for line in ["tests 6", "suites 0", "pass 2", "fail 1", "cancelled 1", "skipped 1", "todo 1"] {
                tally.count(&format!("{mark} {line}"));
            }
            tally.count("# Subtest: a page comes back");
            tally.count("ok 1 - a page comes back");
            assert_eq!(tally, Tally { runners: 1, passed: 2, failed: 2, ignored: 2, is_whole: false });
        }
    }
}
