//! How the program ends: its exit codes, and what it says when it could not do what it was asked.

use std::fmt::Write as _;
use std::process::ExitCode;

/// The codes that scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    /// Refused, or tried and failed.
    Failed,
    /// The command line or a setting makes no sense.
    Usage,
    /// By Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
        })
    }
}

/// What went wrong, why, and what to do now.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Complaint {
    /// The caller's mistake.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, error: anyhow::Error::msg(what.into()), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As it is printed: the error, its causes, the hint.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: {:#}\n", self.error);
        if let Some(hint) = &self.hint {
            writeln!(text, "hint: {hint}").expect("a String takes every write");
        }
        text
    }
}

impl From<anyhow::Error> for Complaint {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Failed, error, hint: None }
    }
}
