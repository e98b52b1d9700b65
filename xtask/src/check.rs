//! `cargo xtask check`: the whole gate. Every step runs, so that one run shows all there is to mend.

use std::time::Instant;

use anyhow::bail;

use crate::home::Home;
use crate::process::run as run_step;
use crate::{say, test, tidy, tools};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave the tests out, because `cargo xtask test` has just run them
    #[arg(long)]
    no_tests: bool,
}

type Step = fn(&Home) -> anyhow::Result<()>;

const STEPS: [(&str, Step); 6] = [
    ("format", format),
    ("tidy", tidy::run),
    ("lints", lints),
    ("documentation", documentation),
    ("dependencies", dependencies),
    ("tests", test::run),
];

pub(crate) fn run(home: &Home, args: &Args) -> anyhow::Result<()> {
    let mut summary = Vec::new();
    let mut failed = 0;
    for (name, step) in STEPS {
        if args.no_tests && name == "tests" {
            continue;
        }
        let start = Instant::now();
        let verdict = match step(home) {
            Ok(()) => "ok",
            Err(error) => {
                say::note(format_args!("{name}: {error:#}"));
                failed += 1;
                "FAILED"
            }
        };
        summary.push(format!("{name:<14} {verdict:<6} {:>6.1} s", start.elapsed().as_secs_f64()));
    }
    for line in &summary {
        say::line(line);
    }
    say::line(format_args!("check: {} steps passed, {failed} failed", summary.len() - failed));
    if failed > 0 {
        bail!("the gate is closed");
    }
    Ok(())
}

fn format(home: &Home) -> anyhow::Result<()> {
    run_step(&mut home.cargo(["fmt", "--all", "--check"]))
}

fn lints(home: &Home) -> anyhow::Result<()> {
    run_step(&mut home.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "--deny=warnings",
    ]))
}

fn documentation(home: &Home) -> anyhow::Result<()> {
    let mut command = home.cargo([
        "doc",
        "--workspace",
        "--all-features",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    // The documentation is for those who work here: it shows private items, so it may link to them.
    run_step(command.env("RUSTDOCFLAGS", "--deny=warnings --allow=rustdoc::private-intra-doc-links"))
}

/// Licences, duplicates, and who may depend on what. Advisories need a database that is not always within reach.
fn dependencies(home: &Home) -> anyhow::Result<()> {
    let mut command = tools::cargo_deny(home)?;
    command.args(["--all-features", "--locked", "check", "--deny=warnings"]);
    run_step(command.args(["bans", "licenses", "sources"]))
}
