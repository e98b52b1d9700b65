//! What a setting can hold: how it is read from a text or from TOML, and how it is shown.

mod choice;
mod measure;
mod net;
mod store;

use std::fmt;
use std::path::PathBuf;

pub(crate) use choice::{LogFormat, LogLevel};
pub(crate) use measure::{Count, Size, Span, Wait};
pub(crate) use net::{Address, BaseUrl, CacheControl, Origins};
pub(crate) use store::{Bucket, Sse, StoreKind, Tags, Word};

/// How a setting is shown to people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shown {
    /// It is not set.
    Nothing,
    /// It is set and secret.
    Hidden,
    Is(toml::Value),
}

/// Something a setting can hold. Flags and environment give texts, the file gives TOML.
pub(crate) trait Value: Sized {
    /// Its name in help texts.
    const PLACEHOLDER: &'static str;

    /// Finishes "allowed: …".
    fn allowed() -> String;

    /// Fails with what is wrong; what is allowed is said by others.
    fn read(raw: &toml::Value) -> Result<Self, String>;

    fn show(&self) -> Shown;
}

/// The value of a default in the table of settings.
pub(super) fn default<T: Value>(text: &str) -> T {
    T::read(&text.into()).expect("the defaults are tested")
}

fn text(raw: &toml::Value) -> Result<&str, String> {
    raw.as_str().ok_or_else(|| format!("{raw} is not a text"))
}

fn shown(text: impl Into<String>) -> Shown {
    Shown::Is(toml::Value::String(text.into()))
}

impl<T: Value> Value for Option<T> {
    const PLACEHOLDER: &'static str = T::PLACEHOLDER;

    fn allowed() -> String {
        T::allowed()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        match raw.as_str() {
            Some("") => Ok(None),
            Some(_) | None => T::read(raw).map(Some),
        }
    }

    fn show(&self) -> Shown {
        self.as_ref().map_or(Shown::Nothing, Value::show)
    }
}

impl Value for bool {
    const PLACEHOLDER: &'static str = "BOOL";

    fn allowed() -> String {
        "true or false".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        match (raw.as_bool(), raw.as_str()) {
            (Some(value), _) => Ok(value),
            (None, Some("true")) => Ok(true),
            (None, Some("false")) => Ok(false),
            (None, _) => Err(format!("{raw} is neither")),
        }
    }

    fn show(&self) -> Shown {
        Shown::Is((*self).into())
    }
}

impl Value for PathBuf {
    const PLACEHOLDER: &'static str = "DIR";

    fn allowed() -> String {
        "a path".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        match text(raw)? {
            "" => Err("it is empty".into()),
            path => Ok(path.into()),
        }
    }

    fn show(&self) -> Shown {
        shown(self.display().to_string())
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Value for Secret {
    const PLACEHOLDER: &'static str = "SECRET";

    fn allowed() -> String {
        "printable ASCII without blanks".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let secret = raw.as_str().ok_or("it is not a text")?;
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it holds other characters".into());
        }
        Ok(Self(secret.to_owned()))
    }

    fn show(&self) -> Shown {
        Shown::Hidden
    }
}

/// Items of a TOML list, or of a text with commas between them.
fn items(raw: &toml::Value) -> Result<Vec<toml::Value>, String> {
    match raw {
        toml::Value::Array(items) => Ok(items.clone()),
        toml::Value::String(text) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(toml::Value::from)
            .collect()),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => Err(format!("{raw} is not a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::read(&"hush".into()).unwrap();
        assert_eq!(secret.show(), Shown::Hidden);
        assert!(!format!("{secret:?}").contains("hush"));
        let problem = Secret::read(&"hush hush".into()).unwrap_err();
        assert!(!problem.contains("hush"));
    }

    #[test]
    fn nothing_is_not_a_value() {
        assert_eq!(Option::<Secret>::read(&"".into()), Ok(None));
        assert_eq!(Option::<Secret>::None.show(), Shown::Nothing);
        assert!(PathBuf::read(&"".into()).is_err());
    }

    #[test]
    fn a_switch_is_true_or_false_as_text_or_as_toml() {
        for (raw, value) in [("true".into(), true), (toml::Value::Boolean(false), false)] {
            assert_eq!(bool::read(&raw), Ok(value));
        }
        for raw in ["yes".into(), "TRUE".into(), toml::Value::Integer(1)] {
            assert!(bool::read(&raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_list_is_toml_or_has_commas() {
        let list = vec![toml::Value::from("a"), toml::Value::from("b")];
        assert_eq!(items(&" a ,b,".into()), Ok(list.clone()));
        assert_eq!(items(&toml::Value::Array(list.clone())), Ok(list));
        assert_eq!(items(&"".into()), Ok(vec![]));
        assert!(items(&toml::Value::Integer(1)).is_err());
    }
}
