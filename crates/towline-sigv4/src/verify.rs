//! Believes a claim, or says why not.
//!
//! Clients differ in what they leave unencoded, in whether the host has a port and in which name of the server they
//! see. Each spelling that means the same request is tried; none of them lets a changed request pass.

use std::borrow::Cow;
use std::time::Duration;

use crate::canonical::{self, Canonical};
use crate::claim::{Claim, Means};
use crate::denial::{Denial, Mismatch};
use crate::encode;
use crate::key::{Scope, SigningKey};
use crate::moment::Moment;
use crate::payload::Payload;

const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// What proxies add after the client signed.
const ADDED_ON_THE_WAY: [&str; 1] = ["x-amz-cf-id"];

/// A request as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Raw: encoded as the client wrote it.
    pub path: &'a str,
    /// Raw, without the question mark; empty when there is none.
    pub query: &'a str,
    /// Names in lower case. A name that comes several times stands there as often.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// What the client may have taken for the host: as received, without the port, as a proxy forwards it.
    pub hosts: &'a [&'a str],
}

impl<'a> Request<'a> {
    /// The first value of a header, if it is text.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().and_then(|value| str::from_utf8(value).ok())
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// What a claim is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub region: &'a str,
    pub now: Moment,
    /// By how much clocks may differ.
    pub skew: Duration,
    /// For how many days after its own a derived key may still sign. S3 takes it on its own day only: zero.
    pub key_days: u8,
}

impl Claim {
    /// How the body is covered; the door decodes and checks the body accordingly. What the query of a signed URL
    /// says comes before what a header says: only the former is signed without fail.
    pub fn payload(&self, request: &Request<'_>) -> Result<Payload, Denial> {
        let named = match self.means {
            Means::Header => None,
            Means::Query | Means::Form => query_payload(request.query),
        };
        match (named.as_deref().or(request.value(CONTENT_SHA256)), self.means) {
            (Some(declared), _) => Payload::parse(declared).ok_or(Denial::PayloadUnknown),
            (None, Means::Header) => Err(Denial::PayloadMissing),
            (None, Means::Query | Means::Form) => Ok(Payload::Unsigned),
        }
    }

    /// Whether the request was signed, as it is, with `key`; it must be derived for [`Claim::scope`].
    pub fn verify(&self, rules: &Rules<'_>, key: &SigningKey, request: &Request<'_>) -> Result<(), Denial> {
        self.check_scope(rules)?;
        self.check_moment(rules)?;
        self.check_signed(request)?;
        self.payload(request)?;
        let spelling = Spelling::new(self, request)?;
        let scopes = self.scopes();
        let mut first = None;
        for canonical in spelling.canonicals(request) {
            let text = canonical?;
            for scope in &scopes {
                let to_sign = canonical::string_to_sign(self.moment, scope, &text);
                if key.sign(to_sign.as_bytes()) == self.signature {
                    return Ok(());
                }
                first.get_or_insert_with(|| Mismatch {
                    canonical_request: text.clone(),
                    string_to_sign: to_sign,
                });
            }
        }
        Err(Denial::Mismatch(Box::new(first.unwrap_or_else(Mismatch::nothing))))
    }

    /// Whether the policy of a posted form, in base64 as it was sent, was signed with `key`. What the policy says,
    /// its expiry first, is for the door to hold the form against.
    pub fn verify_form(&self, rules: &Rules<'_>, key: &SigningKey, policy: &str) -> Result<(), Denial> {
        self.check_scope(rules)?;
        if key.sign(policy.as_bytes()) == self.signature {
            return Ok(());
        }
        let (canonical_request, string_to_sign) = (String::new(), policy.to_owned());
        Err(Denial::Mismatch(Box::new(Mismatch { canonical_request, string_to_sign })))
    }

    fn check_scope(&self, rules: &Rules<'_>) -> Result<(), Denial> {
        let Scope { day, region, service } = &self.scope;
        let means = self.means;
        if service != crate::SERVICE {
            return Err(Denial::WrongService { means, given: service.clone() });
        }
        if region != rules.region {
            let (given, wanted) = (region.clone(), rules.region.to_owned());
            return Err(Denial::WrongRegion { means, given, wanted });
        }
        let is_in_time = (0..=i64::from(rules.key_days)).contains(&self.moment.day().days_since(*day));
        is_in_time.then_some(()).ok_or(Denial::WrongDay { means })
    }

    fn check_moment(&self, rules: &Rules<'_>) -> Result<(), Denial> {
        let (ahead, behind) = (self.moment.since(rules.now), rules.now.since(self.moment));
        match self.expires {
            None if ahead.max(behind) > rules.skew => Err(Denial::Skewed { by: ahead.max(behind) }),
            Some(_) if ahead > rules.skew => Err(Denial::NotYet),
            Some(expires) if behind > expires => Err(Denial::Expired),
            None | Some(_) => Ok(()),
        }
    }

    /// S3's own headers change what a request does: whoever holds a signed URL must not add any. That the digest of
    /// the body may stand unsigned is S3's rule as well: it is part of the canonical request by itself.
    fn check_signed(&self, request: &Request<'_>) -> Result<(), Denial> {
        let is_stray = |name: &str| {
            name.starts_with("x-amz-")
                && name != CONTENT_SHA256
                && !ADDED_ON_THE_WAY.contains(&name)
                && !self.signed.iter().any(|signed| signed == name)
        };
        match request.headers.iter().find(|(name, _)| is_stray(name)) {
            Some((name, _)) => Err(Denial::NotSigned((*name).to_owned())),
            None => Ok(()),
        }
    }

    /// A client that signs with a key of an earlier day may write either day into what it signs.
    fn scopes(&self) -> Vec<Scope> {
        let mut scopes = vec![self.scope.clone()];
        if self.scope.day != self.moment.day() {
            scopes.push(Scope { day: self.moment.day(), ..self.scope.clone() });
        }
        scopes
    }
}

impl Mismatch {
    fn nothing() -> Self {
        Self { canonical_request: String::new(), string_to_sign: String::new() }
    }
}

/// The spellings of a request that mean the same.
#[derive(Debug)]
struct Spelling<'a> {
    claim: &'a Claim,
    paths: Vec<Cow<'a, str>>,
    queries: Vec<String>,
    payloads: Vec<String>,
}

impl<'a> Spelling<'a> {
    fn new(claim: &'a Claim, request: &Request<'a>) -> Result<Self, Denial> {
        let path = encode::encode_path_bytes(&encode::decode_path(request.path));
        let paths = different([Cow::Owned(path), Cow::Borrowed(request.path)]);
        let queries = different([canonical_query(request.query), raw_query(request.query)]);
        let declared = request.value(CONTENT_SHA256).map(str::to_owned);
        let unsigned = || Payload::Unsigned.to_string();
        let payloads = match (claim.means, query_payload(request.query)) {
            (Means::Header, _) => vec![declared.ok_or(Denial::PayloadMissing)?],
            (Means::Query | Means::Form, Some(named)) => vec![named],
            // Who uses a signed URL may declare a digest that was not known when it was signed.
            (Means::Query | Means::Form, None) => different([unsigned(), declared.unwrap_or_else(unsigned)]),
        };
        Ok(Self { claim, paths, queries, payloads })
    }

    /// Canonical requests, the likeliest first.
    fn canonicals(&self, request: &Request<'_>) -> impl Iterator<Item = Result<String, Denial>> {
        let signed = self.claim.signed.join(";");
        let heads: Vec<_> = request.hosts.iter().map(|host| self.headers(request, host)).collect();
        heads.into_iter().flat_map(move |headers| {
            let headers = match headers {
                Ok(headers) => headers,
                Err(denial) => return vec![Err(denial)],
            };
            let mut texts = Vec::new();
            for path in &self.paths {
                for query in &self.queries {
                    for payload in &self.payloads {
                        let method = request.method;
                        let canonical =
                            Canonical { method, path, query, headers: &headers, signed: &signed, payload };
                        texts.push(Ok(canonical.text()));
                    }
                }
            }
            texts
        })
    }

    fn headers(&self, request: &Request<'_>, host: &str) -> Result<String, Denial> {
        let mut lines = String::new();
        for name in &self.claim.signed {
            if name == "host" {
                canonical::push_header(name, [host].into_iter(), &mut lines);
                continue;
            }
            // Bytes that are no text cannot have been signed as text.
            let values: Result<Vec<&str>, _> = request.values(name).map(str::from_utf8).collect();
            let (means, what) = (self.claim.means, "a signed header that is not UTF-8");
            let values = values.map_err(|_| Denial::Malformed { means, what })?;
            canonical::push_header(name, values.into_iter(), &mut lines);
        }
        Ok(lines)
    }
}

fn different<T: PartialEq>([first, second]: [T; 2]) -> Vec<T> {
    if first == second { vec![first] } else { vec![first, second] }
}

/// Decoded and encoded again: what the client meant, spelled as it should be.
fn canonical_query(raw: &str) -> String {
    let again = |part| {
        let mut encoded = String::new();
        encode::push_encoded(&encode::decode_query(part), &mut encoded);
        Cow::Owned(encoded)
    };
    encode::join_sorted(signed_pairs(raw).map(|(name, value)| (again(name), again(value))).collect())
}

/// Spelled as the client spelled it.
fn raw_query(raw: &str) -> String {
    let pairs = signed_pairs(raw).map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)));
    encode::join_sorted(pairs.collect())
}

/// All but the signature itself.
fn signed_pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    encode::pairs(raw)
        .filter(|(name, _)| !encode::decode_query(name).eq_ignore_ascii_case(b"X-Amz-Signature"))
}

fn query_payload(raw: &str) -> Option<String> {
    let (_, value) = encode::pairs(raw)
        .find(|(name, _)| encode::decode_query(name).eq_ignore_ascii_case(CONTENT_SHA256.as_bytes()))?;
    String::from_utf8(encode::decode_query(value).into_owned()).ok()
}
