//! `towline put`.

use crate::cli;
use crate::exit::{Complaint, Exit};

pub(super) fn run(asked: cli::Put) -> Result<Exit, Complaint> {
    Err(Complaint::usage(format!("{asked:?} is not there yet")))
}
