//! Clients written in Python, run by what `cargo xtask test` prepares.

use std::process::{Command, Stdio};

/// The Python that has the clients, without anything from the environment of the test.
pub(crate) fn python() -> Command {
    #[expect(clippy::disallowed_methods, reason = "the tests' one reader of the environment")]
    let program = std::env::var_os("TOWLINE_TEST_PYTHON");
    let program = program.expect("TOWLINE_TEST_PYTHON is not set: run this test with `cargo xtask test`");
    let mut command = Command::new(program);
    // Without a locale Python would take arguments and file names for ASCII.
    command.env_clear().env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}
