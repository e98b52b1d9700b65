//! Who may sign requests: access keys from the settings, and those that are made here and need no memory. Their
//! secrets all come from one signing secret, so that every node of a cluster makes and believes the same ones.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use towline_core::clock::Timestamp;
use towline_core::digest::hex;
use towline_core::policy::{Operation, Principal};
use towline_core::upload::UploadId;
use towline_sigv4::{Credentials, Secret};

/// Signs the URLs that this server gives out.
const URL_KEY: &str = "towline-url";
/// Begins the access key that is good for one upload; its id follows.
const UPLOAD_PREFIX: &str = "TLU";
/// Begins an access key that is lent for a while.
const LENT_PREFIX: &str = "TLS";

/// Name the keys that what is sealed is hidden and proven with.
const VEIL_KEY: &str = "towline-veil";
const PROOF_KEY: &str = "towline-proof";
const PROOF_BYTES: usize = 32;
/// What is sealed is as long as a multiple of this: its length says little.
const SEALED_STEP: usize = 128;

/// One access key of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    pub access_key: String,
    pub secret_key: Secret,
    /// What it stands for, and all that it may do.
    pub principal: Principal,
}

/// Credentials that end by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    pub credentials: Credentials,
    pub expires_at: Timestamp,
}

/// All access keys. The binary replaces those of the settings while the server runs.
#[derive(Debug)]
pub struct Keyring {
    signing: Secret,
    keys: RwLock<Arc<HashMap<String, AccessKey>>>,
}

/// For whom a known access key signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signs {
    /// An access key of the settings, or one that is lent.
    For(Principal),
    /// This server itself, for whom the URL names.
    Urls,
    /// Whoever sends this upload.
    Upload(UploadId),
    /// Its time is over.
    Nobody,
}

/// What is known of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) secret_key: Secret,
    pub(crate) signs: Signs,
}

/// What a session token says. It is not signed: the secret key that belongs to it is made of it.
#[derive(Debug, Serialize, Deserialize)]
struct Loan {
    owner: String,
    prefix: String,
    /// Milliseconds since 1970.
    until: i64,
}

impl Keyring {
    /// `signing` makes all keys that are not in `keys`: it must not be guessable, and be the same on every node.
    pub fn new(signing: Secret, keys: Vec<AccessKey>) -> Self {
        let keyring = Self { signing, keys: RwLock::default() };
        keyring.replace(keys);
        keyring
    }

    /// From now on these are the access keys of the settings.
    pub fn replace(&self, keys: Vec<AccessKey>) {
        let keys = keys.into_iter().map(|key| (key.access_key.clone(), key)).collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Whether a name is kept for keys that are made here: settings must not use it.
    pub fn is_reserved(access_key: &str) -> bool {
        access_key == URL_KEY || access_key.starts_with(UPLOAD_PREFIX) || access_key.starts_with(LENT_PREFIX)
    }

    /// With these, one upload can be sent and finished, and nothing else done.
    pub fn for_upload(&self, id: UploadId) -> Credentials {
        self.made(format!("{UPLOAD_PREFIX}{:032x}", id.as_u128()))
    }

    /// With these, its uploads can be sent below the caller's prefix for a while, and nothing else done.
    pub fn lend(&self, who: &Principal, now: Timestamp, lasts: Duration) -> Lent {
        let expires_at = now + lasts;
        let (owner, prefix) = (who.owner.clone(), who.key_prefix.clone());
        let loan = Loan { owner, prefix, until: expires_at.as_millis() };
        let loan = serde_json::to_vec(&loan).expect("a loan is plain text and a number");
        let token = URL_SAFE_NO_PAD.encode(loan);
        let access_key = format!("{LENT_PREFIX}{}", &self.derive(&token)[..29]);
        let secret_key = Secret::new(self.derive(&format!("{access_key}/{token}")));
        let session_token = Some(Secret::new(token));
        Lent { credentials: Credentials { access_key, secret_key, session_token }, expires_at }
    }

    /// Signs the URLs that this server gives out.
    pub(crate) fn for_urls(&self) -> Credentials {
        self.made(URL_KEY.to_owned())
    }

    /// What an access key is; nothing when it is none.
    pub(crate) fn find(&self, access_key: &str, token: Option<&Secret>, now: Timestamp) -> Option<Known> {
        if access_key == URL_KEY {
            return Some(Known { secret_key: self.for_urls().secret_key, signs: Signs::Urls });
        }
        if let Some(digits) = access_key.strip_prefix(UPLOAD_PREFIX) {
            let id = u128::from_str_radix(digits, 16).ok().map(UploadId::from_u128)?;
            let Credentials { access_key: exactly, secret_key, .. } = self.for_upload(id);
            return (exactly == access_key).then_some(Known { secret_key, signs: Signs::Upload(id) });
        }
        if access_key.starts_with(LENT_PREFIX) {
            return self.find_lent(access_key, token?.expose(), now);
        }
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let AccessKey { secret_key, principal, .. } = keys.get(access_key)?.clone();
        Some(Known { secret_key, signs: Signs::For(principal) })
    }

    fn find_lent(&self, access_key: &str, token: &str, now: Timestamp) -> Option<Known> {
        let loan: Loan = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let secret_key = Secret::new(self.derive(&format!("{access_key}/{token}")));
        let signs = if now < Timestamp::from_millis(loan.until) {
            let Loan { owner, prefix: key_prefix, .. } = loan;
            Signs::For(Principal { owner, operations: vec![Operation::Upload], key_prefix })
        } else {
            Signs::Nobody
        };
        Some(Known { secret_key, signs })
    }

    fn made(&self, access_key: String) -> Credentials {
        let secret_key = Secret::new(self.derive(&access_key));
        Credentials { access_key, secret_key, session_token: None }
    }

    /// A text without zeros that this owner may carry and give back, and that nobody else reads or makes. Its proof is
    /// also what hides it (as in RFC 5297): the same text is sealed alike, and nothing has to be remembered.
    pub(crate) fn seal(&self, owner: &str, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(SEALED_STEP), 0);
        let proof = self.proof(owner, &bytes).finalize().into_bytes();
        self.veil(&proof, &mut bytes);
        URL_SAFE_NO_PAD.encode([&proof[..], &bytes].concat())
    }

    /// What was sealed for this owner.
    pub(crate) fn unseal(&self, owner: &str, sealed: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (proof, bytes) = sealed.split_at_checked(PROOF_BYTES)?;
        let mut bytes = bytes.to_vec();
        self.veil(proof, &mut bytes);
        self.proof(owner, &bytes).verify_slice(proof).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.trim_end_matches('\0').to_owned())
    }

    fn proof(&self, owner: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let owner_bytes = (owner.len() as u64).to_be_bytes();
        keyed(&self.derive(PROOF_KEY)).chain_update(owner_bytes).chain_update(owner).chain_update(bytes)
    }

    /// Hides bytes, or shows them again.
    fn veil(&self, proof: &[u8], bytes: &mut [u8]) {
        let keyed = keyed(&self.derive(VEIL_KEY)).chain_update(proof);
        for (block, counter) in bytes.chunks_mut(32).zip(0_u32..) {
            let pad = keyed.clone().chain_update(counter.to_be_bytes()).finalize().into_bytes();
            for (byte, pad) in block.iter_mut().zip(pad) {
                *byte ^= pad;
            }
        }
    }

    fn derive(&self, name: &str) -> String {
        hex(&keyed(self.signing.expose()).chain_update(name).finalize().into_bytes())
    }
}

fn keyed(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of every length")
}

impl Default for Keyring {
    /// Without keys of the settings, and with a signing secret that no other process has.
    fn default() -> Self {
        let mut chance = [0; 32];
        getrandom::fill(&mut chance).expect("the system has random numbers");
        Self::new(Secret::new(hex(&chance)), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn keyring() -> Keyring {
        let key = AccessKey {
            access_key: "AK".to_owned(),
            secret_key: Secret::new("known"),
            principal: Principal::anonymous(),
        };
        Keyring::new(Secret::new("root"), vec![key])
    }

    #[test]
    fn keys_of_the_settings_are_found_until_they_are_replaced() {
        let keyring = keyring();
        let known = keyring.find("AK", None, at(0)).unwrap();
        assert_eq!(known.signs, Signs::For(Principal::anonymous()));
        assert_eq!(known.secret_key.expose(), "known");
        keyring.replace(Vec::new());
        assert_eq!(keyring.find("AK", None, at(0)), None);
    }

    #[test]
    fn an_uploads_key_is_found_by_its_one_name() {
        let keyring = keyring();
        let id = UploadId::from_u128(0xab);
        let made = keyring.for_upload(id);
        let known = keyring.find(&made.access_key, None, at(0)).unwrap();
        assert_eq!(known, Known { secret_key: made.secret_key, signs: Signs::Upload(id) });
        for other in
            ["TLU", "TLUab", "TLU000000000000000000000000000000AB", "TLU+0000000000000000000000000000ab"]
        {
            assert_eq!(keyring.find(other, None, at(0)), None, "{other}");
        }
    }

    #[test]
    fn lent_keys_upload_below_their_prefix_until_they_expire() {
        let keyring = keyring();
        let who = Principal { key_prefix: "ali/".to_owned(), ..Principal::anonymous() };
        let Lent { credentials, expires_at } = keyring.lend(&who, at(1000), Duration::from_secs(5));
        assert_eq!(expires_at, at(6000));
        let (name, token) = (&credentials.access_key, credentials.session_token.as_ref());
        let known = keyring.find(name, token, at(5999)).unwrap();
        assert_eq!(known.secret_key, credentials.secret_key);
        assert_eq!(known.signs, Signs::For(Principal { operations: vec![Operation::Upload], ..who.clone() }));
        assert_eq!(keyring.find(name, token, at(6000)).unwrap().signs, Signs::Nobody);
        assert_eq!(keyring.find(name, None, at(0)), None);
    }

    #[test]
    fn a_token_that_was_changed_belongs_to_another_secret() {
        let keyring = keyring();
        let ali = Principal { owner: "ali".to_owned(), ..Principal::anonymous() };
        let one = keyring.lend(&Principal::anonymous(), at(0), Duration::from_secs(5)).credentials;
        let other = keyring.lend(&ali, at(0), Duration::from_secs(5)).credentials;
        let mixed = keyring.find(&one.access_key, other.session_token.as_ref(), at(0)).unwrap();
        assert!(mixed.secret_key != one.secret_key && mixed.secret_key != other.secret_key);
    }

    #[test]
    fn what_is_sealed_is_read_by_its_owner_only() {
        let keyring = keyring();
        for text in ["", "a", "ü/b", &"k".repeat(1024)] {
            let sealed = keyring.seal("ali", text);
            assert_eq!(keyring.unseal("ali", &sealed).as_deref(), Some(text));
            assert_eq!(keyring.unseal("eve", &sealed), None);
            assert_eq!(Keyring::default().unseal("ali", &sealed), None);
        }
        let (sealed, alike) = (keyring.seal("ali", "a secret name"), keyring.seal("ali", "b"));
        assert_eq!(sealed.len(), alike.len());
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(keyring.unseal("ali", &URL_SAFE_NO_PAD.encode(changed)), None, "{at}");
        }
        for broken in ["", "!", &sealed[..40]] {
            assert_eq!(keyring.unseal("ali", broken), None, "{broken}");
        }
    }

    #[test]
    fn names_of_made_keys_are_reserved() {
        let keyring = keyring();
        let lent = keyring.lend(&Principal::anonymous(), at(0), Duration::ZERO).credentials;
        let made = [keyring.for_urls(), keyring.for_upload(UploadId::from_u128(1)), lent];
        assert!(made.iter().all(|made| Keyring::is_reserved(&made.access_key)));
        assert!(!Keyring::is_reserved("towline") && !Keyring::is_reserved("AKIA"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?}", keyring());
        assert!(!shown.contains("root") && !shown.contains("known"), "{shown}");
    }
}
