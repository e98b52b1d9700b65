//! Signed URLs and forms in the second version of signatures. S3 itself has left it behind, but boto3 and the first
//! AWS command line still sign URLs so unless they are told otherwise. Only keys of the settings may, only for as
//! long as the newer version allows, and no header is ever signed so.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use towline_core::clock::Timestamp;
use towline_core::policy::Principal;
use towline_sigv4::EXPIRES_MAX;

use super::address::Address;
use super::problem::{ACCESS_DENIED, Denied, SIGNATURE_MISMATCH, UNKNOWN_KEY};
use super::query::Parameters;
use crate::DoorState;
use crate::json::whole_number;
use crate::keyring::{Known, Signs};

const ACCESS_KEY: &str = "AWSAccessKeyId";

/// The parameters that change what a request means: these are signed, others are not.
const SIGNED: [&str; 27] = [
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Whether a request is a URL signed in this version.
pub(super) fn is_url(query: &Parameters) -> bool {
    query.has(ACCESS_KEY) && query.has("Signature")
}

/// Finds out who signed a URL.
pub(super) fn admit(state: &DoorState, parts: &Parts, query: &Parameters) -> Result<Principal, Denied> {
    let seconds = query.text("Expires").and_then(whole_number);
    let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok()).ok_or_else(|| {
        let message =
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
        Denied::new(ACCESS_DENIED, message)
    })?;
    let expires_at = Timestamp::from_millis(seconds.saturating_mul(1000));
    let known = find(state, query.text(ACCESS_KEY).unwrap_or(""))?;
    let text = string_to_sign(parts, query, (seconds, &state.settings.s3.bucket), state);
    verify(&known, &text, query.text("Signature").unwrap_or(""))?;
    let now = state.engine.now();
    if now > expires_at {
        return Err(Denied::new(ACCESS_DENIED, "Request has expired"));
    }
    if expires_at.since(now) > EXPIRES_MAX {
        return Err(Denied::new(ACCESS_DENIED, "Expires lies more than seven days ahead"));
    }
    principal(known)
}

/// Finds out who signed the policy of a form; nothing when it is not signed in this version.
pub(super) fn admit_form(
    state: &DoorState,
    fields: &[(&str, &str)],
    policy: &str,
) -> Result<Option<Principal>, Denied> {
    let field = |name: &str| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let (Some((_, access_key)), Some((_, signature))) = (field(ACCESS_KEY), field("Signature")) else {
        return Ok(None);
    };
    let known = find(state, access_key)?;
    verify(&known, policy, signature)?;
    principal(known).map(Some)
}

fn find(state: &DoorState, access_key: &str) -> Result<Known, Denied> {
    state.settings.s3.keyring.find(access_key, None, state.engine.now()).ok_or_else(|| {
        let message = "The AWS access key Id you provided does not exist in our records.";
        Denied::new(UNKNOWN_KEY, message).with("AWSAccessKeyId", access_key)
    })
}

/// This version leaves parameters unsigned that the keys made here depend on.
fn principal(known: Known) -> Result<Principal, Denied> {
    match known.signs {
        Signs::For(who) => Ok(who),
        Signs::Urls | Signs::Upload(_) | Signs::Nobody => Err(Denied::new(ACCESS_DENIED, "Access Denied")),
    }
}

fn verify(known: &Known, text: &str, signature: &str) -> Result<(), Denied> {
    let keyed = Hmac::<Sha1>::new_from_slice(known.secret_key.expose().as_bytes());
    let keyed = keyed.expect("HMAC takes keys of every length").chain_update(text);
    let signature = STANDARD.decode(signature).unwrap_or_default();
    keyed.verify_slice(&signature).map_err(|_| {
        let message = "The request signature we calculated does not match the signature you provided. Check your \
                       key and signing method.";
        Denied::new(SIGNATURE_MISMATCH, message).with("StringToSign", text)
    })
}

fn string_to_sign(
    parts: &Parts,
    query: &Parameters,
    (seconds, bucket): (i64, &str),
    state: &DoorState,
) -> String {
    let method = parts.method.as_str();
    let [md5, kind] = ["content-md5", CONTENT_TYPE.as_str()].map(|name| sent(&parts.headers, query, name));
    let mut text = format!("{method}\n{md5}\n{kind}\n{seconds}\n");
    for (name, value) in amz(&parts.headers, query) {
        text.extend([&name, ":", value.trim(), "\n"]);
    }
    // Where the bucket stands in the host, it is signed as if it stood in the path.
    if Address::is_virtual(&parts.headers, parts.uri.path(), &state.settings) {
        text.extend(["/", bucket]);
    }
    text.push_str(parts.uri.path());
    let signed = SIGNED.iter().filter_map(|name| Some((*name, query.text(name)?)));
    for (index, (name, value)) in signed.enumerate() {
        text.extend([if index == 0 { "?" } else { "&" }, name]);
        if !value.is_empty() {
            text.extend(["=", value]);
        }
    }
    text
}

/// What a header says, or the parameter that stands for it in a URL.
fn sent(headers: &HeaderMap, query: &Parameters, name: &str) -> String {
    let header = headers.get(name).and_then(|value| value.to_str().ok());
    header.or(query.text(name)).unwrap_or("").to_owned()
}

/// S3's own headers, and the parameters that stand for them, by name.
fn amz(headers: &HeaderMap, query: &Parameters) -> Vec<(String, String)> {
    let by_header = headers.keys().map(|name| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        (name.as_str().to_owned(), values.collect::<Vec<_>>().join(","))
    });
    let by_query = query.pairs().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    // What a URL says and a header says again is signed once.
    let by_query = by_query.filter(|(name, _)| !headers.contains_key(name));
    let mut found: Vec<_> =
        by_header.chain(by_query).filter(|(name, _)| name.starts_with("x-amz-")).collect();
    found.sort();
    found
}
