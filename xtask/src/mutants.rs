//! `cargo xtask mutants`: breaks an invariant of the house on purpose, in a copy of the tree, and wants to see the test die
//! that is named for it. A net that holds nothing is worse than none.

mod list;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};

use crate::home::Home;
use crate::process::stdout_of;
use crate::say;
use list::MUTANTS;

/// One invariant, broken.
struct Mutant {
    name: &'static str,
    file: &'static str,
    /// What stands there once, and what is put in its place.
    from: &'static str,
    to: &'static str,
    package: &'static str,
    /// The tests to run, as arguments of `cargo test`.
    tests: &'static [&'static str],
    /// The test that must die.
    dies: &'static str,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only mutants whose name contains this
    filter: Option<String>,
}

pub(crate) fn run(home: &Home, args: &Args) -> anyhow::Result<()> {
    let copy = home.target()?.join("mutants");
    copy_tree(home, &copy)?;
    let mut survivors = 0;
    let mut caught = 0;
    for mutant in MUTANTS {
        if args.filter.as_ref().is_some_and(|filter| !mutant.name.contains(filter.as_str())) {
            continue;
        }
        let dead = try_mutant(home, &copy, mutant)?;
        if dead.iter().any(|test| test == mutant.dies) {
            caught += 1;
            say::line(format_args!("caught    {}: {}", mutant.name, dead.join(", ")));
        } else {
            survivors += 1;
            let others = if dead.is_empty() { "no test died".to_owned() } else { dead.join(", ") };
            say::line(format_args!("SURVIVED  {}: {} was to die, but {others}", mutant.name, mutant.dies));
        }
    }
    say::line(format_args!("{caught} passed, {survivors} failed"));
    if survivors > 0 || caught == 0 {
        bail!("{survivors} of {} mutants survived", survivors + caught);
    }
    Ok(())
}

/// Copies what git tracks or would track, as it is in the work tree.
fn copy_tree(home: &Home, copy: &Path) -> anyhow::Result<()> {
    let mut git = std::process::Command::new("git");
    let files = stdout_of(
        git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(&home.root),
    )?;
    let tree = copy.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).context("clearing the last copy")?;
    }
    for file in files.lines() {
        let (from, to) = (home.root.join(file), tree.join(file));
        // A file that is deleted in the work tree is still listed.
        if from.is_file() {
            fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            fs::copy(&from, &to).with_context(|| format!("copying {file}"))?;
        }
    }
    Ok(())
}

/// Runs the mutant's tests and names those that died.
fn try_mutant(home: &Home, copy: &Path, mutant: &Mutant) -> anyhow::Result<Vec<String>> {
    let path = copy.join("tree").join(mutant.file);
    let sound = fs::read_to_string(&path).with_context(|| format!("reading {}", mutant.file))?;
    if sound.matches(mutant.from).count() != 1 {
        bail!("mutant {}: its text does not stand exactly once in {}", mutant.name, mutant.file);
    }
    fs::write(&path, sound.replace(mutant.from, mutant.to))?;
    say::note(format_args!("breaking: {}", mutant.name));
    let mut cargo = home.cargo(["test", "--locked", "--all-features", "--no-fail-fast", "--package"]);
    let output = cargo
        .arg(mutant.package)
        .args(mutant.tests)
        .current_dir(copy.join("tree"))
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .stdin(Stdio::null())
        .output()
        .context("starting cargo test")?;
    fs::write(&path, sound)?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !told.contains("test result:") {
        bail!("mutant {} does not build:\n{}", mutant.name, String::from_utf8_lossy(&output.stderr));
    }
    Ok(dead_tests(&told))
}

/// The names in lines like `test a_name ... FAILED`.
fn dead_tests(told: &str) -> Vec<String> {
    let names = told.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    names.map(|name| name.rsplit("::").next().unwrap_or(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_named() {
        let told = "running 2 tests\ntest a ... ok\ntest b::c ... FAILED\n\ntest result: FAILED. 1 passed";
        assert_eq!(dead_tests(told), ["c"]);
    }
}
