//! `towline config`: what holds, and who said so.

use crate::cli;
use crate::config::{to_json, to_markdown, to_toml};
use crate::exit::{Complaint, Exit};
use crate::output;

pub(super) fn run(asked: cli::Config) -> Result<Exit, Complaint> {
    let cli::Config { settings, json, markdown } = asked;
    if markdown {
        output::data(&to_markdown())?;
        return Ok(Exit::Done);
    }
    let loaded = settings.load()?;
    output::data(&if json { to_json(&loaded) } else { to_toml(&loaded) })?;
    Ok(Exit::Done)
}
