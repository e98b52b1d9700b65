//! What Debian has: programs that are looked for on PATH, and installed together when some are missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use super::venv;
use crate::home::Home;
use crate::process::{run_aside, stdout_of};
use crate::say;

/// The oldest Node that the locked packages run on.
const NODE_OLDEST: u32 = 20;
/// What the browser is called by those who ship it.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

#[derive(Debug)]
pub(super) struct Programs {
    pub(super) python: PathBuf,
    pub(super) rclone: PathBuf,
    pub(super) chromium: PathBuf,
    pub(super) node: PathBuf,
    pub(super) npm: PathBuf,
}

/// Finds the programs. `extra` names what else must be on PATH, as pairs of program and package.
pub(super) fn bring(home: &Home, extra: &[(&str, &str)]) -> anyhow::Result<Programs> {
    let mut missing: Vec<&str> = extra
        .iter()
        .chain(&[("rclone", "rclone"), ("node", "nodejs"), ("npm", "npm")])
        .filter(|(program, _)| home.program(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if browser(home).is_none() {
        missing.push("chromium");
    }
    if venv::fitting_python().is_none() {
        missing.extend(["python3", "python3-venv"]);
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    let program = |name: &str| {
        home.program(name).with_context(|| format!("{name} is not on PATH, and apt-get brought none"))
    };
    Ok(Programs {
        python: venv::fitting_python().with_context(|| {
            format!(
                "no python3 of at least version {} is on PATH, and apt-get brought none",
                venv::PYTHON_OLDEST
            )
        })?,
        rclone: program("rclone")?,
        chromium: browser(home).context("no Chromium is on PATH, and apt-get brought none")?,
        node: fitting(program("node")?)?,
        npm: program("npm")?,
    })
}

fn fitting(node: PathBuf) -> anyhow::Result<PathBuf> {
    let version = stdout_of(Command::new(&node).arg("--version"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_OLDEST) {
        bail!("node on PATH is {}: please install Node {NODE_OLDEST} or newer, with npm", version.trim());
    }
    Ok(node)
}

fn browser(home: &Home) -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| home.program(name))
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    say::note(format_args!("missing: {names}; trying apt-get"));
    let as_root = stdout_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let apt_get = || {
        let mut command = if as_root { Command::new("apt-get") } else { Command::new("sudo") };
        if !as_root {
            command.args(["-n", "apt-get"]);
        }
        command
    };
    let result = run_aside(apt_get().args(["update", "-q"])).and_then(|()| {
        let mut install = apt_get();
        install.args(["install", "-q", "-y", "--no-install-recommends"]).args(packages);
        run_aside(install.env("DEBIAN_FRONTEND", "noninteractive"))
    });
    if let Err(error) = result {
        bail!("please install {names} and run this again; apt-get did not: {error:#}");
    }
    Ok(())
}
