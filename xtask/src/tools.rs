//! The tools of the gate at pinned versions, kept in the cache folder, fetched when they are missing. Those of the tests
//! are in `testbed`.

use std::process::Command;

use anyhow::Context as _;

use crate::home::Home;
use crate::process::{run, stdout_of};

const CARGO_DENY: &str = "0.20.2";

/// `cargo deny`, at our version, in the root of the work tree.
pub(crate) fn cargo_deny(home: &Home) -> anyhow::Result<Command> {
    let root = home.cache.join("tools");
    let program = root.join("bin/cargo-deny");
    let is_ours =
        stdout_of(Command::new(&program).arg("--version")).is_ok_and(|text| text.contains(CARGO_DENY));
    if !is_ours {
        let mut install =
            home.cargo(["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--force"]);
        run(install.arg("--root").arg(&root)).context("cargo-deny could not be installed")?;
    }
    let mut command = Command::new(program);
    command.current_dir(&home.root);
    Ok(command)
}
