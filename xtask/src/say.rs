//! What these commands tell the person who runs them: results to stdout, progress to stderr.

use std::fmt::Display;
use std::io::{self, Write};

/// A result. That nobody reads it any more is no reason to stop.
pub(crate) fn line(text: impl Display) {
    writeln!(io::stdout(), "{text}").ok();
}

/// Progress.
pub(crate) fn note(text: impl Display) {
    writeln!(io::stderr(), "{text}").ok();
}
