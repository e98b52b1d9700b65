//! What a request claims about itself: who signed it, when, and what is covered. Parsing only; nothing is believed
//! yet.

use std::borrow::Cow;
use std::time::Duration;

use crate::denial::Denial;
use crate::encode;
use crate::key::{Scope, Signature};
use crate::moment::Moment;
use crate::secret::Secret;
use crate::signer::EXPIRES_MAX;
use crate::verify::Request;

/// More names than any client signs; a bound for the work that a stranger may cause.
const SIGNED_MAX: usize = 100;

/// Where a signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// In the `Authorization` header.
    Header,
    /// In the query: a signed URL.
    Query,
    /// In the fields of a posted form.
    Form,
}

/// A signature with what it says about itself. To be believed only after [`Claim::verify`] or
/// [`Claim::verify_form`].
#[derive(Clone, Debug)]
pub struct Claim {
    pub means: Means,
    pub access_key: String,
    /// What the signing key must be derived for.
    pub scope: Scope,
    pub moment: Moment,
    /// How long a signed URL lives.
    pub expires: Option<Duration>,
    pub session_token: Option<Secret>,
    pub(crate) signature: Signature,
    /// In the order in which they were signed, in lower case.
    pub(crate) signed: Vec<String>,
}

impl Claim {
    /// The claim of a request, in its header or in its query. Nothing when it is not signed at all.
    pub fn find(request: &Request<'_>) -> Result<Option<Self>, Denial> {
        let authorization = request.value("authorization");
        let is_in_query = has_signature(request.query);
        match (authorization, is_in_query) {
            (None, false) if is_old(request.query) => Err(Denial::UnknownAlgorithm { means: Means::Query }),
            (None, false) => Ok(None),
            (None, true) => Self::from_query(request.query).map(Some),
            (Some(authorization), false) => Self::from_header(authorization, request).map(Some),
            (Some(_), true) => Err(Denial::TwoMeans),
        }
    }

    fn from_header(authorization: &str, request: &Request<'_>) -> Result<Self, Denial> {
        let means = Means::Header;
        let malformed = |what| Denial::Malformed { means, what };
        let (algorithm, rest) = authorization.trim().split_once([' ', '\t']).unwrap_or((authorization, ""));
        if algorithm != crate::ALGORITHM {
            return Err(Denial::UnknownAlgorithm { means });
        }
        let mut fields = Fields::new(means);
        for pair in rest.split(',') {
            let (name, value) = pair.trim().split_once('=').ok_or(malformed("a part without ="))?;
            let field = match name {
                "Credential" => Field::Credential,
                "SignedHeaders" => Field::SignedHeaders,
                "Signature" => Field::Signature,
                _ => return Err(malformed("a part that is none of Credential, SignedHeaders, Signature")),
            };
            fields.set(field, Cow::Borrowed(value))?;
        }
        let moment = match (request.value("x-amz-date"), request.value("date")) {
            (Some(date), _) => Moment::parse(date).or_else(|| Moment::parse_http(date)),
            (None, Some(date)) => Moment::parse_http(date).or_else(|| Moment::parse(date)),
            (None, None) => None,
        };
        fields.token = request.value("x-amz-security-token").map(Cow::Borrowed);
        fields.claim(moment.ok_or(malformed("a valid x-amz-date or Date header is missing"))?)
    }

    fn from_query(raw: &str) -> Result<Self, Denial> {
        let means = Means::Query;
        let mut fields = Fields::new(means);
        for (name, value) in encode::pairs(raw) {
            let Some(field) = Field::named(&text(name, means)?) else {
                continue;
            };
            fields.set(field, text(value, means)?)?;
        }
        fields.check_algorithm()?;
        let seconds = fields.get(Field::Expires)?;
        let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        // Digits that do not fit are a number all the same: one that is out of range.
        let expires = Duration::from_secs(seconds.parse().unwrap_or(u64::MAX));
        if !is_number || expires.is_zero() || expires > EXPIRES_MAX {
            return Err(Denial::ExpiresOutOfRange);
        }
        let moment = fields.moment()?;
        Ok(Self { expires: Some(expires), ..fields.claim(moment)? })
    }

    /// The claim of a posted form, from its fields before the file. The names of fields know no case.
    pub fn from_form(fields: &[(&str, &str)]) -> Result<Self, Denial> {
        let mut found = Fields::new(Means::Form);
        if fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(OLD)) {
            return Err(Denial::UnknownAlgorithm { means: Means::Form });
        }
        for (name, value) in fields {
            match Field::named(name) {
                None | Some(Field::SignedHeaders | Field::Expires) => {}
                Some(field) => found.set(field, Cow::Borrowed(value))?,
            }
        }
        found.check_algorithm()?;
        let moment = found.moment()?;
        found.claim(moment)
    }
}

/// Names the key where a signature is older than version 4. AWS's own clients make such URLs and forms still, for the
/// regions of those days, when nothing else is said.
const OLD: &str = "AWSAccessKeyId";

fn is_old(raw: &str) -> bool {
    encode::pairs(raw).any(|(name, _)| encode::decode_query(name).eq_ignore_ascii_case(OLD.as_bytes()))
}

/// Whether a raw query is a signed one, or tries to be.
fn has_signature(raw: &str) -> bool {
    encode::pairs(raw).any(|(name, _)| {
        let name = encode::decode_query(name);
        name.eq_ignore_ascii_case(b"X-Amz-Signature") || name.eq_ignore_ascii_case(b"X-Amz-Algorithm")
    })
}

fn text(raw: &str, means: Means) -> Result<Cow<'_, str>, Denial> {
    let broken = Denial::Malformed { means, what: "a parameter that is not UTF-8" };
    match encode::decode_query(raw) {
        Cow::Borrowed(_) => Ok(Cow::Borrowed(raw)),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| broken),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Algorithm,
    Credential,
    Date,
    Expires,
    SignedHeaders,
    Signature,
    Token,
}

impl Field {
    const ALL: [(&'static str, Self); 7] = [
        ("X-Amz-Algorithm", Self::Algorithm),
        ("X-Amz-Credential", Self::Credential),
        ("X-Amz-Date", Self::Date),
        ("X-Amz-Expires", Self::Expires),
        ("X-Amz-SignedHeaders", Self::SignedHeaders),
        ("X-Amz-Signature", Self::Signature),
        ("X-Amz-Security-Token", Self::Token),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| *field)
    }

    fn missing(self) -> &'static str {
        match self {
            Self::Algorithm => "the algorithm is missing",
            Self::Credential => "the credential is missing",
            Self::Date => "the date is missing",
            Self::Expires => "the expiry is missing",
            Self::SignedHeaders => "the names of the signed headers are missing",
            Self::Signature => "the signature is missing",
            Self::Token => "the session token is missing",
        }
    }
}

/// The fields of a claim, each at most once.
#[derive(Debug)]
struct Fields<'a> {
    means: Means,
    found: Vec<(Field, Cow<'a, str>)>,
    token: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn new(means: Means) -> Self {
        Self { means, found: Vec::new(), token: None }
    }

    fn malformed(&self, what: &'static str) -> Denial {
        Denial::Malformed { means: self.means, what }
    }

    fn set(&mut self, field: Field, value: Cow<'a, str>) -> Result<(), Denial> {
        if self.found.iter().any(|(known, _)| *known == field) {
            return Err(self.malformed("a part that is there twice"));
        }
        if field == Field::Token {
            self.token = Some(value.clone());
        }
        self.found.push((field, value));
        Ok(())
    }

    fn get(&self, field: Field) -> Result<&str, Denial> {
        let found = self.found.iter().find(|(known, _)| *known == field);
        found.map(|(_, value)| &**value).ok_or_else(|| self.malformed(field.missing()))
    }

    fn check_algorithm(&self) -> Result<(), Denial> {
        let is_known = self.get(Field::Algorithm)? == crate::ALGORITHM;
        is_known.then_some(()).ok_or(Denial::UnknownAlgorithm { means: self.means })
    }

    fn moment(&self) -> Result<Moment, Denial> {
        Moment::parse(self.get(Field::Date)?).ok_or_else(|| self.malformed("a date that is none"))
    }

    fn claim(&self, moment: Moment) -> Result<Claim, Denial> {
        let (access_key, scope) = Scope::parse_credential(self.get(Field::Credential)?)
            .ok_or_else(|| self.malformed("a credential that is not KEY/yyyymmdd/region/s3/aws4_request"))?;
        let signature = Signature::parse(self.get(Field::Signature)?)
            .ok_or_else(|| self.malformed("a signature that is not 64 hexadecimal digits"))?;
        let signed = if self.means == Means::Form { Vec::new() } else { self.signed()? };
        Ok(Claim {
            means: self.means,
            access_key: access_key.to_owned(),
            scope,
            moment,
            expires: None,
            session_token: self.token.as_deref().map(Secret::new),
            signature,
            signed,
        })
    }

    fn signed(&self) -> Result<Vec<String>, Denial> {
        let names = self.get(Field::SignedHeaders)?.split(';');
        let signed: Vec<String> = names.take(SIGNED_MAX + 1).map(str::to_ascii_lowercase).collect();
        if signed.len() > SIGNED_MAX {
            return Err(self.malformed("more signed headers than anybody needs"));
        }
        if !signed.iter().any(|name| name == "host") {
            return Err(Denial::NotSigned("host".to_owned()));
        }
        Ok(signed)
    }
}
