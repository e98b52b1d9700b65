//! The settings as flags: one for each, made from the table.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::load::{Loaded, Said};
use super::{BaseUrl, CLIENT_GROUP, SETTINGS, Setting};
use crate::exit::Complaint;

const FILE: &str = "config";

/// What a client is told by flags.
const CLIENT_SETTINGS: [&str; 2] = ["server", "token"];
/// Under which the flags stand that say where files go to and come from.
pub(crate) const WHERE: &str = "Where";

/// All settings, for commands that serve.
#[derive(Debug)]
pub(crate) struct ServerFlags(Said);

/// The data folder only, for commands that look into it. Other settings still come from environment and file.
#[derive(Debug)]
pub(crate) struct FolderFlags(Said);

/// Which server, for commands that talk to one.
#[derive(Debug)]
pub(crate) struct ClientFlags(Said);

impl ServerFlags {
    pub(crate) fn load(self) -> Result<Loaded, Complaint> {
        self.0.with_environment()?.load()
    }
}

impl FolderFlags {
    pub(crate) fn load(self) -> Result<Loaded, Complaint> {
        self.0.with_environment()?.load()
    }

    /// Whether the command line says which folder.
    pub(crate) fn names_data(&self) -> bool {
        self.0.flags.iter().any(|(setting, _)| setting.name == "data")
    }
}

impl ClientFlags {
    /// The settings, and the server that the token belongs to. Nothing: it is for whoever is asked, as only the command line
    /// names a server, or it says the token, too.
    pub(crate) fn load(self) -> Result<(Loaded, Option<BaseUrl>), Complaint> {
        let said = self.0.with_environment()?;
        let mut lasting = said.clone();
        lasting.flags.retain(|(setting, _)| setting.name != "server");
        let is_said = said.flags.iter().any(|(setting, _)| setting.name == "token");
        let owner = if is_said { None } else { lasting.load()?.settings.server };
        Ok((said.load()?, owner))
    }
}

impl Args for ServerFlags {
    fn augment_args(command: Command) -> Command {
        add(command, |setting| setting.group != CLIENT_GROUP)
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

impl Args for ClientFlags {
    fn augment_args(command: Command) -> Command {
        let helps = ["A Towline server", "Its token; a flag is seen by everybody on the machine"];
        let arguments = CLIENT_SETTINGS.iter().zip(helps).map(|(name, help)| {
            let setting = Setting::find(name).expect("it is in the table");
            let variable = setting.variable();
            to_arg(setting).help(format!("{help} [env: {variable}]")).long_help(None).hide_short_help(false)
        });
        let arguments = arguments.chain([file()]).map(|argument| argument.help_heading(WHERE));
        command.args_override_self(true).args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(said(matches, |_| true)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for FolderFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(said(matches, |_| true)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for ClientFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // The commands have flags of their own beside these, some by the name of a server's setting.
        Ok(Self(said(matches, |setting| CLIENT_SETTINGS.contains(&setting.name))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn add(command: Command, wanted: impl Fn(&Setting) -> bool) -> Command {
    let settings = SETTINGS.iter().filter(|setting| wanted(setting));
    // The last one counts, so that a wrapper's flags can be changed by adding others.
    command.args_override_self(true).args(settings.map(to_arg)).arg(file())
}

fn file() -> Arg {
    Arg::new(FILE)
        .long(FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help_heading(SETTINGS[0].group)
        .help("A TOML file with settings")
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

fn said(matches: &ArgMatches, wanted: impl Fn(&Setting) -> bool) -> Said {
    let given = |setting: &'static Setting| {
        let value = matches.try_get_one::<String>(setting.name).ok().flatten()?;
        Some((setting, value.clone()))
    };
    Said {
        flags: SETTINGS.iter().filter(|setting| wanted(setting)).filter_map(given).collect(),
        file: matches.get_one::<PathBuf>(FILE).cloned(),
        environment: Vec::new(),
    }
}
