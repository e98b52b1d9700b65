//! Keys derived for a day, a region and a service, and the signatures they make.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::moment::Day;
use crate::secret::Secret;
use crate::{SERVICE, encode};

pub(crate) type Keyed = Hmac<Sha256>;
const TERMINATOR: &str = "aws4_request";

/// What a derived key is good for. Displayed as it stands in a credential: `day/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    pub day: Day,
    pub region: String,
    pub service: String,
}

impl Scope {
    /// The scope of what S3 signs.
    pub fn s3(day: Day, region: &str) -> Self {
        Self { day, region: region.to_owned(), service: SERVICE.to_owned() }
    }

    /// Reads a credential: the access key, a slash and the scope.
    pub(crate) fn parse_credential(text: &str) -> Option<(&str, Self)> {
        // An access key may itself hold slashes: the scope is what comes last.
        let mut parts = text.rsplitn(5, '/');
        if parts.next()? != TERMINATOR {
            return None;
        }
        let (service, region, day) = (parts.next()?, parts.next()?, Day::parse(parts.next()?)?);
        let access_key = parts.next().filter(|key| !key.is_empty())?;
        Some((access_key, Self { day, region: region.to_owned(), service: service.to_owned() }))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.day, self.region, self.service)
    }
}

/// Derived from a secret key for one [`Scope`]; whoever has it can sign within that scope and nowhere else.
#[derive(Clone)]
pub struct SigningKey {
    bytes: [u8; 32],
    /// The state after the key went in: each signature begins with a copy of it.
    keyed: Keyed,
}

impl SigningKey {
    pub fn derive(secret: &Secret, scope: &Scope) -> Self {
        let first = format!("AWS4{}", secret.expose());
        let day = keyed(first.as_bytes()).chain_update(scope.day.to_string());
        let region = keyed(&finish(day)).chain_update(&scope.region);
        let service = keyed(&finish(region)).chain_update(&scope.service);
        Self::from_bytes(finish(keyed(&finish(service)).chain_update(TERMINATOR)))
    }

    /// As handed out by [`Self::to_hex`].
    pub fn from_hex(text: &str) -> Option<Self> {
        encode::from_hex(text).map(Self::from_bytes)
    }

    /// The key itself, for a client that signs on its own.
    pub fn to_hex(&self) -> String {
        let mut text = String::with_capacity(64);
        encode::push_hex(&self.bytes, &mut text);
        text
    }

    pub(crate) fn sign(&self, string_to_sign: &[u8]) -> Signature {
        self.start(string_to_sign).finish(&[])
    }

    /// Begins a signature whose first bytes are known.
    pub(crate) fn start(&self, first: &[u8]) -> Started {
        Started(self.keyed.clone().chain_update(first))
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, keyed: keyed(&bytes) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// A signature of which the first bytes went in; may be finished many times.
#[derive(Clone)]
pub(crate) struct Started(Keyed);

impl Started {
    pub(crate) fn finish(&self, rest: &[u8]) -> Signature {
        Signature(finish(self.0.clone().chain_update(rest)))
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started([redacted])")
    }
}

/// Displayed as 64 hexadecimal digits. Compared in constant time.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    pub fn parse(text: &str) -> Option<Self> {
        encode::from_hex(text).map(Self)
    }

    pub(crate) fn hex(self) -> [u8; 64] {
        encode::hex(&self.0)
    }

    pub(crate) fn push_to(self, text: &mut String) {
        encode::push_hex(&self.0, text);
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Signature {}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(64);
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature([redacted])")
    }
}

fn keyed(key: &[u8]) -> Keyed {
    Keyed::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn finish(keyed: Keyed) -> [u8; 32] {
    keyed.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(day: &str, service: &str) -> Scope {
        Scope { day: Day::parse(day).unwrap(), region: "us-east-1".to_owned(), service: service.to_owned() }
    }

    /// The example of AWS's general reference.
    #[test]
    fn the_published_signing_key_is_derived() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = SigningKey::derive(&secret, &scope("20150830", "iam"));
        assert_eq!(key.to_hex(), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        let again = SigningKey::from_hex(&key.to_hex()).unwrap();
        assert_eq!(again.sign(b"text"), key.sign(b"text"));
        assert_eq!(key.start(b"te").finish(b"xt"), key.sign(b"text"));
        assert!(!format!("{key:?}").contains("c4afb1"), "a key is not shown");
    }

    #[test]
    fn a_credential_is_read_and_written() {
        let (access_key, found) =
            Scope::parse_credential("AK/ID/20130524/us-east-1/s3/aws4_request").unwrap();
        assert_eq!((access_key, &found), ("AK/ID", &scope("20130524", "s3")));
        assert_eq!(found.to_string(), "20130524/us-east-1/s3/aws4_request");
        for text in [
            "",
            "AK",
            "/20130524/us-east-1/s3/aws4_request",
            "AK/2013/r/s3/aws4_request",
            "AK/20130524/r/s3/x",
        ] {
            assert_eq!(Scope::parse_credential(text), None, "{text}");
        }
    }
}
