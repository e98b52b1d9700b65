//! Makes signatures: URLs that carry one, headers for requests of our own, and the fields of forms.

mod form;
mod parts;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use form::Condition;
pub use parts::PartUrls;

use crate::canonical::{self, Canonical};
use crate::encode;
use crate::key::{Scope, SigningKey};
use crate::moment::{Day, Moment};
use crate::origin::Origin;
use crate::payload::Payload;
use crate::secret::{Credentials, Secret};

/// No signed URL lives longer: seven days.
pub const EXPIRES_MAX: Duration = Duration::from_hours(168);
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What is asked of S3: the request that a signature is for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub method: &'a str,
    pub origin: &'a Origin,
    /// Begins with a slash; as the key is, not encoded.
    pub path: &'a str,
    /// Names and values, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// All of them are signed beside the host: who uses the signature must send exactly these.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Target<'_> {
    /// The URL without a signature, encoded as the signature over it assumes.
    pub fn url(&self) -> String {
        let query = canonical::query(self.query.iter().copied());
        let mark = if query.is_empty() { "" } else { "?" };
        [self.origin.as_str(), &encode::encode_path(self.path), mark, &query].concat()
    }
}

/// Signs for one access key in one region. The key of the day is derived once.
#[derive(Debug)]
pub struct Signer {
    credentials: Credentials,
    region: String,
    /// The one of the day that was asked for last.
    key: Mutex<Option<(Day, SigningKey)>>,
}

impl Signer {
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Self {
        Self { credentials, region: region.into(), key: Mutex::new(None) }
    }

    pub fn access_key(&self) -> &str {
        &self.credentials.access_key
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// The key that signs on this day, also for those who verify what was signed with it.
    pub fn key(&self, day: Day) -> SigningKey {
        let mut cached = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((cached_day, key)) = cached.as_ref()
            && *cached_day == day
        {
            return key.clone();
        }
        let key = SigningKey::derive(&self.credentials.secret_key, &self.scope(day));
        *cached = Some((day, key.clone()));
        key
    }

    /// A URL that carries its own signature for `expires`: at least a second, at most [`EXPIRES_MAX`]. The body is
    /// not signed.
    pub fn presign(&self, target: &Target<'_>, moment: Moment, expires: Duration) -> String {
        let draft = Draft::new(self, target, moment, expires);
        let query = canonical::query(draft.pairs(target.query));
        let path = encode::encode_path(target.path);
        let text = draft.canonical(target.method, &path, &query).text();
        let scope = self.scope(moment.day());
        let to_sign = canonical::string_to_sign(moment, &scope, &text);
        let mut url = [target.origin.as_str(), &path, "?", &query, parts::SIGNATURE_PARAMETER].concat();
        self.key(moment.day()).sign(to_sign.as_bytes()).push_to(&mut url);
        url
    }

    /// URLs for the parts of one upload, all alike but for the number. `target` is the object's, with `PUT`; the
    /// number and the id of the upload are added here.
    pub fn parts(&self, target: &Target<'_>, upload_id: &str, moment: Moment, expires: Duration) -> PartUrls {
        PartUrls::new(self, &Draft::new(self, target, moment, expires), target, upload_id)
    }

    /// The headers that make a request of our own a signed one, to be sent beside those of `target`, to
    /// [`Target::url`].
    pub fn sign(&self, target: &Target<'_>, payload: Payload, moment: Moment) -> Vec<(&'static str, String)> {
        let (date, payload) = (moment.to_string(), payload.to_string());
        let mut own = vec![("x-amz-content-sha256", payload.clone()), ("x-amz-date", date)];
        if let Some(token) = &self.credentials.session_token {
            own.push(("x-amz-security-token", token.expose().to_owned()));
        }
        let headers = Headers::new(target, own.iter().map(|(name, value)| (*name, value.as_str())));
        let text = Canonical {
            method: target.method,
            path: &encode::encode_path(target.path),
            query: &canonical::query(target.query.iter().copied()),
            headers: &headers.lines,
            signed: &headers.names,
            payload: &payload,
        }
        .text();
        let scope = self.scope(moment.day());
        let signature =
            self.key(moment.day()).sign(canonical::string_to_sign(moment, &scope, &text).as_bytes());
        let authorization = format!(
            "{} Credential={}/{scope},SignedHeaders={},Signature={signature}",
            crate::ALGORITHM,
            self.access_key(),
            headers.names
        );
        own.push(("authorization", authorization));
        own
    }

    fn scope(&self, day: Day) -> Scope {
        Scope::s3(day, &self.region)
    }

    fn credential(&self, day: Day) -> String {
        format!("{}/{}", self.access_key(), self.scope(day))
    }
}

/// The signed headers in canonical spelling.
#[derive(Debug)]
struct Headers {
    lines: String,
    names: String,
}

impl Headers {
    /// The host, the headers of `target` and our own. A name that comes twice becomes one line.
    fn new<'a>(target: &Target<'a>, own: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut headers: Vec<(String, &str)> = [("host", target.origin.host())]
            .into_iter()
            .chain(own)
            .chain(target.headers.iter().copied())
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        // Stable: values of one name stay in their order.
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mut lines, mut names) = (String::new(), String::new());
        for group in headers.chunk_by(|(one, _), (other, _)| one == other) {
            let name = &group[0].0;
            canonical::push_header(name, group.iter().map(|(_, value)| *value), &mut lines);
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(name);
        }
        Self { lines, names }
    }
}

/// What a signed URL says beside the request: the pairs that are added to its query, and its headers.
#[derive(Debug)]
struct Draft<'a> {
    moment: Moment,
    headers: Headers,
    credential: String,
    date: String,
    expires: String,
    token: Option<&'a str>,
}

impl<'a> Draft<'a> {
    fn new(signer: &'a Signer, target: &Target<'_>, moment: Moment, expires: Duration) -> Self {
        let expires = expires.clamp(Duration::from_secs(1), EXPIRES_MAX);
        Self {
            moment,
            headers: Headers::new(target, std::iter::empty()),
            credential: signer.credential(moment.day()),
            date: moment.to_string(),
            expires: expires.as_secs().to_string(),
            token: signer.credentials.session_token.as_ref().map(Secret::expose),
        }
    }

    fn pairs<'b>(&'b self, query: &'b [(&'b str, &'b str)]) -> impl Iterator<Item = (&'b str, &'b str)> {
        [
            ("X-Amz-Algorithm", crate::ALGORITHM),
            ("X-Amz-Credential", self.credential.as_str()),
            ("X-Amz-Date", self.date.as_str()),
            ("X-Amz-Expires", self.expires.as_str()),
            ("X-Amz-SignedHeaders", self.headers.names.as_str()),
        ]
        .into_iter()
        .chain(self.token.map(|token| ("X-Amz-Security-Token", token)))
        .chain(query.iter().copied())
    }

    fn canonical<'b>(&'b self, method: &'b str, path: &'b str, query: &'b str) -> Canonical<'b> {
        let Headers { lines, names } = &self.headers;
        Canonical { method, path, query, headers: lines, signed: names, payload: UNSIGNED }
    }
}
