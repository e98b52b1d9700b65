//! Who asks. Tokens are known by their SHA-256 only and compared in constant time; they come by header, and not in a
//! URL, where they would end up in histories. One client can send no header (Uppy 6): its door takes one in the path,
//! and no log shows it.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use towline_core::policy::Principal;

use crate::DoorState;
use crate::refused::Refused;

/// How callers are told apart.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Everybody is the one caller to whom everything belongs.
    Anonymous,
    /// Every caller shows a token.
    Tokens(Vec<Token>),
}

/// A token and whose it is.
#[derive(Clone)]
pub struct Token {
    pub sha256: [u8; 32],
    pub principal: Principal,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Whose request it is, by its `Authorization: Bearer …`.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Refused> {
        let tokens = match self {
            Self::Anonymous => return Ok(Principal::anonymous()),
            Self::Tokens(tokens) => tokens,
        };
        let shown = headers.get(AUTHORIZATION).and_then(bearer).ok_or(Refused::Unauthenticated)?;
        let shown: [u8; 32] = Sha256::digest(shown).into();
        // All are compared, so that the time taken says nothing of which one it was.
        let found = tokens.iter().fold(None, |found, token| {
            let is_same = bool::from(token.sha256.ct_eq(&shown));
            if is_same { Some(token) } else { found }
        });
        found.map(|token| token.principal.clone()).ok_or(Refused::UnknownToken)
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// The caller of a handler that must know.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<DoorState> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &DoorState) -> Result<Self, Refused> {
        state.settings.authenticator.authenticate(&parts.headers).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        let token = |text: &str, owner: &str| Token {
            sha256: Sha256::digest(text).into(),
            principal: Principal { owner: owner.to_owned(), ..Principal::anonymous() },
        };
        Authenticator::Tokens(vec![token("open sesame", "ali"), token("friend", "gandalf")])
    }

    fn owner(header: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        authenticator().authenticate(&headers).ok().map(|principal| principal.owner)
    }

    #[test]
    fn a_token_names_its_principal_and_nothing_else_does() {
        assert_eq!(owner(Some("Bearer open sesame")).as_deref(), Some("ali"));
        assert_eq!(owner(Some("bearer friend")).as_deref(), Some("gandalf"));
        for bad in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Bearer foe"), Some("Basic friend")]
        {
            assert_eq!(owner(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        assert!(!format!("{:?}", authenticator()).contains("sha256"));
    }
}
