//! What can go wrong between a file and the other end, by what to do about it.

use std::time::Duration;

use thiserror::Error;

/// Its texts hold neither a URL with a signature nor a secret; what the other end said is bounded and printable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The line broke, nobody answered in time, or the other end failed: it may go well a little later.
    #[error("{what}")]
    Passing {
        what: String,
        /// The other end has too much to do: fewer at once would help.
        is_crowded: bool,
        /// How long it wished to be left alone.
        retry_after: Option<Duration>,
    },
    /// The upload or the file is not there any more, or takes nothing more: look again, or begin again.
    #[error("{what}")]
    Gone { what: String },
    /// It will not go well as it is.
    #[error("{what}")]
    Refused {
        what: String,
        /// What to do now.
        hint: Option<String>,
    },
    /// The file on this side cannot be read, or changed while it was read.
    #[error("{what}")]
    Source { what: String },
}

impl Trouble {
    pub fn passing(what: impl Into<String>) -> Self {
        Self::Passing { what: what.into(), is_crowded: false, retry_after: None }
    }

    /// Who does not answer in time may have too much to do.
    pub fn late(what: impl Into<String>) -> Self {
        Self::Passing { what: what.into(), is_crowded: true, retry_after: None }
    }

    pub fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: None }
    }

    pub fn gone(what: impl Into<String>) -> Self {
        Self::Gone { what: what.into() }
    }

    pub fn source(what: impl Into<String>) -> Self {
        Self::Source { what: what.into() }
    }

    /// Adds what to do, where that helps.
    #[must_use]
    pub fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Refused { what, .. } => Self::Refused { what, hint: Some(text.into()) },
            Self::Passing { .. } | Self::Gone { .. } | Self::Source { .. } => self,
        }
    }
}
