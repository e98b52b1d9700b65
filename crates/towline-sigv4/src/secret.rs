//! What signs, and must not be seen.

use std::fmt;

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for those who must write it: a settings file, a reply, a request.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: Secret,
    /// Comes with credentials that are lent for a while; travels with each signature.
    pub session_token: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials {
            access_key: "AKIA".to_owned(),
            secret_key: Secret::new("hidden"),
            session_token: Some(Secret::new("also hidden")),
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKIA") && !shown.contains("hidden"), "{shown}");
        assert_eq!(credentials.secret_key.expose(), "hidden");
    }
}
