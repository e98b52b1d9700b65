//! Running other programs: what is run is shown, and a failure says what failed.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::say;

/// Runs a step in full view.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    say::note(format_args!("$ {}", text_of(command)));
    let status = command.status().with_context(|| format!("starting `{}`", text_of(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", text_of(command));
    }
    Ok(())
}

/// Runs a step whose chatter is progress: our own stdout may be read by a program.
pub(crate) fn run_aside(command: &mut Command) -> anyhow::Result<()> {
    run(command.stdout(io::stderr()))
}

/// Asks a program for an answer; its complaints go into the error.
pub(crate) fn stdout_of(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting `{}`", text_of(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", text_of(command), output.status, complaint.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` answered in no UTF-8", text_of(command)))
}

/// The command as a person would type it, without the path of the program.
fn text_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, argument| line + " " + &argument.to_string_lossy())
}
