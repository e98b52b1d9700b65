//! `towline completions` and `towline man`: made from the definition of the command line.

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Complaint, Exit};
use crate::output;

pub(super) fn completions(shell: Shell) -> Result<Exit, Complaint> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "towline", &mut script);
    print(script)
}

pub(super) fn manual(command: Option<&str>) -> Result<Exit, Complaint> {
    let mut all = Cli::command();
    all.build();
    let command = match command {
        None => all,
        Some(name) => all.find_subcommand(name).cloned().ok_or_else(|| {
            Complaint::usage(format!("there is no command {name:?}")).hint("see `towline -h`")
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot write the page")?;
    print(page)
}

fn print(text: Vec<u8>) -> Result<Exit, Complaint> {
    let text = String::from_utf8(text).context("the text is not UTF-8")?;
    output::data(&text)?;
    Ok(Exit::Done)
}
