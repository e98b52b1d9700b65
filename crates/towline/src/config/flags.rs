//! The settings as flags: one for each, made from the table.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::load::{Loaded, Said};
use super::{SETTINGS, Setting};
use crate::exit::Complaint;

const FILE: &str = "config";

/// All settings, for commands that serve.
#[derive(Debug)]
pub(crate) struct ServerFlags(Said);

/// The data folder only, for commands that look into it. Other settings still come from environment and file.
#[derive(Debug)]
pub(crate) struct FolderFlags(Said);

impl ServerFlags {
    pub(crate) fn load(self) -> Result<Loaded, Complaint> {
        self.0.with_environment()?.load()
    }
}

impl FolderFlags {
    pub(crate) fn load(self) -> Result<Loaded, Complaint> {
        self.0.with_environment()?.load()
    }
}

impl Args for ServerFlags {
    fn augment_args(command: Command) -> Command {
        add(command, |_| true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Args for FolderFlags {
    fn augment_args(command: Command) -> Command {
        add(command, |setting| setting.name == "data")
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(said(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for FolderFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(said(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn add(command: Command, wanted: impl Fn(&Setting) -> bool) -> Command {
    let file = Arg::new(FILE)
        .long(FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help_heading(SETTINGS[0].group)
        .help("A TOML file with settings");
    let settings = SETTINGS.iter().filter(|setting| wanted(setting));
    // The last one counts, so that a wrapper's flags can be changed by adding others.
    command.args_override_self(true).args(settings.map(to_arg)).arg(file)
}

fn to_arg(setting: &'static Setting) -> Arg {
    let about = setting.about();
    let first = about.split_once(". ").map_or(about.trim_end_matches('.'), |(first, _)| first);
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let arg = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.placeholder)
        .help(format!("{first}{default}"))
        .long_help(format!("{about}{default}"))
        .help_heading(setting.group)
        .hide_short_help(setting.group != SETTINGS[0].group);
    if matches!(setting.default, "true" | "false") {
        return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    arg
}

fn said(matches: &ArgMatches) -> Said {
    let given = |setting: &'static Setting| {
        let value = matches.try_get_one::<String>(setting.name).ok().flatten()?;
        Some((setting, value.clone()))
    };
    Said {
        flags: SETTINGS.iter().filter_map(given).collect(),
        file: matches.get_one::<PathBuf>(FILE).cloned(),
        environment: Vec::new(),
    }
}
