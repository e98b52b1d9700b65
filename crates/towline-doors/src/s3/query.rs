//! What the query of a request says. Pure.

use super::problem::{Denied, INVALID_ARGUMENT};

/// The parameters of a query, decoded. Those that nobody asks for are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(raw: &str) -> Self {
        Self(form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The text, where it is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|value| !value.is_empty())
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// The first of these names that is there.
    pub(super) fn any<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().find(|name| self.has(name)).copied()
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Denied> {
        let Some(text) = self.filled(name) else {
            return Ok(None);
        };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        let number = number.ok_or_else(|| {
            let message = format!("Provided {name} not an integer or within integer range");
            Denied::new(INVALID_ARGUMENT, message).with("ArgumentName", name).with("ArgumentValue", text)
        })?;
        Ok(Some(number))
    }
}
