//! The settings as they hold, for people (TOML with comments), for scripts (JSON) and for the documentation.

use std::fmt::Write as _;

use serde_json::json;

use super::load::Loaded;
use super::value::Shown;
use super::{SETTINGS, Setting};

/// A settings file that would do the same, with the origin of each value beside it. Secrets are left out.
pub(crate) fn to_toml(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut group = "";
    for (setting, origin) in SETTINGS.iter().zip(&loaded.origins) {
        if setting.group != group {
            group = setting.group;
            let gap = if text.is_empty() { "" } else { "\n" };
            writeln!(text, "{gap}# {group}").expect("a String takes every write");
        }
        let name = setting.name;
        let line = match (setting.show)(&loaded.settings) {
            Shown::Nothing => format!("# {name} is not set"),
            Shown::Hidden => format!("# {name} is set, and secret"),
            Shown::Is(value) => format!("{name} = {value}"),
        };
        writeln!(text, "{line:<48}  # {}", origin.to_text(setting)).expect("a String takes every write");
    }
    text
}

/// `{name: {value, origin}}`; a secret has `"secret": true` instead of its value.
pub(crate) fn to_json(loaded: &Loaded) -> String {
    let settings: serde_json::Map<String, serde_json::Value> = SETTINGS
        .iter()
        .zip(&loaded.origins)
        .map(|(setting, origin)| {
            let origin = origin.to_text(setting);
            let entry = match (setting.show)(&loaded.settings) {
                Shown::Nothing => json!({"value": null, "origin": origin}),
                Shown::Hidden => json!({"secret": true, "origin": origin}),
                Shown::Is(value) => json!({"value": value, "origin": origin}),
            };
            (setting.name.to_owned(), entry)
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(settings))
}

const INTRODUCTION: &str = "\
# Configuration

Every setting can be given as a flag, as an environment variable or in a TOML file (`--config FILE` or `TOWLINE_CONFIG`).
Flags win over the environment, the environment over the file, the file over the defaults; an empty variable counts as not
set. Unknown names are refused. `towline config` prints what holds and where each value comes from.

This page is made by `towline config --markdown`; a test compares the two.
";

/// The reference: what `docs/configuration.md` holds.
pub(crate) fn to_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            write!(text, "\n## {group}\n").expect("a String takes every write");
        }
        text.push_str(&describe(setting));
    }
    text
}

fn describe(setting: &Setting) -> String {
    let Setting { name, placeholder, allowed, default, .. } = setting;
    let about = setting.about();
    let (flag, variable, allowed) = (setting.flag(), setting.variable(), allowed());
    let default = match *default {
        "" => "not set".to_owned(),
        default => format!("`{default}`"),
    };
    format!(
        "\n### `{name}`\n\n{about}\n\n\
         * `--{flag} {placeholder}` or `{variable}`\n\
         * Allowed: {allowed}\n\
         * Default: {default}\n"
    )
}
