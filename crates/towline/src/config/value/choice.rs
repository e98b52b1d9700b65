//! Words out of a few, and lists of such words.

use towline_core::policy::Existing;
use towline_doors::DoorKind;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{Shown, Value, items, shown, text};

/// One of a few words.
pub(crate) trait Choice: Copy + 'static {
    const PLACEHOLDER: &'static str;
    const ALL: &'static [Self];

    fn name(self) -> &'static str;
}

impl<T: Choice> Value for T {
    const PLACEHOLDER: &'static str = <T as Choice>::PLACEHOLDER;

    fn allowed() -> String {
        let names: Vec<&str> = T::ALL.iter().map(|choice| choice.name()).collect();
        names.join(", ")
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        let named = T::ALL.iter().find(|choice| choice.name() == text);
        named.copied().ok_or_else(|| format!("{text:?} is none of the choices"))
    }

    fn show(&self) -> Shown {
        shown(self.name())
    }
}

impl Choice for Existing {
    const PLACEHOLDER: &'static str = "WHAT";
    const ALL: &'static [Self] = &[Self::Replace, Self::Refuse];

    fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Refuse => "refuse",
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object on each line.
    Json,
}

impl Choice for LogFormat {
    const PLACEHOLDER: &'static str = "FORMAT";
    const ALL: &'static [Self] = &[Self::Text, Self::Json];

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Choice for DoorKind {
    const PLACEHOLDER: &'static str = "DOOR";
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.name()
    }
}

/// What is logged.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel {
    text: String,
    pub(crate) targets: Targets,
}

impl Value for LogLevel {
    const PLACEHOLDER: &'static str = "LEVEL";

    fn allowed() -> String {
        "off, error, warn, info, debug, trace, or a list such as info,towline_core=debug".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let text = text(raw)?;
        // A lone word that is no level would be taken for a module, and everything else fall silent.
        let are_levels =
            text.split(',').all(|item| item.contains('=') || item.parse::<LevelFilter>().is_ok());
        let targets = text.parse().ok().filter(|_| are_levels && !text.is_empty());
        let targets = targets.ok_or_else(|| format!("{text:?} is not a level"))?;
        let text = text.to_owned();
        Ok(Self { text, targets })
    }

    fn show(&self) -> Shown {
        shown(&self.text)
    }
}

impl Value for Vec<DoorKind> {
    const PLACEHOLDER: &'static str = "DOORS";

    fn allowed() -> String {
        format!("a list of: {}", DoorKind::allowed())
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        items(raw)?.iter().map(DoorKind::read).collect()
    }

    fn show(&self) -> Shown {
        Shown::Is(self.iter().map(|door| door.name()).collect::<Vec<_>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_by_their_names_only() {
        assert_eq!(LogFormat::read(&"json".into()), Ok(LogFormat::Json));
        assert_eq!(LogFormat::allowed(), "text, json");
        assert!(LogFormat::read(&"JSON".into()).is_err());
        assert!(LogFormat::read(&toml::Value::Integer(1)).is_err());
    }

    #[test]
    fn every_door_is_a_choice_by_its_own_name() {
        for door in DoorKind::ALL {
            assert_eq!(DoorKind::read(&door.name().into()), Ok(door));
        }
    }

    #[test]
    fn doors_are_a_list() {
        assert_eq!(Vec::<DoorKind>::read(&"downloads".into()), Ok(vec![DoorKind::Downloads]));
        assert_eq!(Vec::<DoorKind>::read(&"".into()), Ok(vec![]));
        assert!(Vec::<DoorKind>::read(&"downloads,ftp".into()).is_err());
    }

    #[test]
    fn levels_may_differ_by_module() {
        for raw in ["off", "info", "WARN", "info,towline_core=debug"] {
            assert!(LogLevel::read(&raw.into()).is_ok(), "{raw}");
        }
        for raw in ["", "loud", "info,loud", "loud=very"] {
            assert!(LogLevel::read(&raw.into()).is_err(), "{raw}");
        }
    }
}
