//! Who signed a request, and whether it is as it was signed.

use std::time::Duration;

use axum::http::header::HOST;
use axum::http::request::Parts;
use towline_core::clock::Timestamp;
use towline_core::policy::{Operation, Principal};
use towline_core::upload::{Phase, Upload, UploadId};
use towline_sigv4::{Chunking, Claim, Denial, Payload, Request, Rules, SigningKey};

use super::address::{Address, without_port};
use super::problem::{ACCESS_DENIED, Denied, EXPIRED_TOKEN, UNKNOWN_KEY};
use super::query::Parameters;
use super::second;
use crate::DoorState;
use crate::keyring::{Known, Signs};
use crate::links::{Base, MANAGES, OWNER, asked_host, moment};

/// By how much clocks may differ.
const SKEW: Duration = Duration::from_mins(15);
/// How long the key of one upload is good. Its client derives it once and signs for days with it.
const UPLOAD_KEY_DAYS: u8 = 7;

/// A request that is believed.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) who: Principal,
    /// The only upload that the key is good for.
    pub(super) only: Option<Box<Upload>>,
    pub(super) cover: Cover,
}

/// How the signature covers the body.
#[derive(Debug)]
pub(super) enum Cover {
    Not,
    Sha256([u8; 32]),
    /// It comes in chunks, that are signed with this key after this claim.
    Chunks(Chunking, Box<(Claim, SigningKey)>),
}

/// Whose signature a request or a form bears; not believed yet.
struct Bearer {
    known: Known,
    key: SigningKey,
}

/// Finds out who signed a request.
pub(super) async fn admit(state: &DoorState, parts: &Parts, query: &Parameters) -> Result<Signed, Denied> {
    if second::is_url(query) {
        let who = second::admit(state, parts, query)?;
        return Ok(Signed { who, only: None, cover: Cover::Not });
    }
    let headers: Vec<(&str, &[u8])> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let hosts = hosts(state, parts);
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let request = Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or(""),
        headers: &headers,
        hosts: &hosts,
    };
    let claim = Claim::find(&request)?.ok_or_else(|| Denied::new(ACCESS_DENIED, "Access Denied"))?;
    let bearer = bearer(state, &claim)?;
    verify(state, &claim, &bearer, &request)?;
    let cover = match claim.payload(&request)? {
        Payload::Unsigned => Cover::Not,
        Payload::Sha256(digest) => Cover::Sha256(digest),
        Payload::Chunked(chunking) => Cover::Chunks(chunking, Box::new((claim, bearer.key))),
    };
    let named = Named { owner: query.text(OWNER), manages: query.has(MANAGES) };
    let (who, only) = settle(state, bearer.known.signs, named).await?;
    Ok(Signed { who, only, cover })
}

/// Finds out who signed the policy of a form.
pub(super) async fn admit_form(
    state: &DoorState,
    fields: &[(&str, &str)],
    policy: &str,
) -> Result<Principal, Denied> {
    if let Some(who) = second::admit_form(state, fields, policy)? {
        return Ok(who);
    }
    let claim = Claim::from_form(fields)?;
    let bearer = bearer(state, &claim)?;
    claim.verify_form(&rules(state, &bearer.known.signs), &bearer.key, policy)?;
    let owner = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(OWNER));
    let named = Named { owner: owner.map(|(_, owner)| *owner), manages: false };
    match settle(state, bearer.known.signs, named).await? {
        (who, None) => Ok(who),
        (_, Some(_)) => Err(Denied::new(ACCESS_DENIED, "Access Denied")),
    }
}

fn bearer(state: &DoorState, claim: &Claim) -> Result<Bearer, Denied> {
    let keyring = &state.settings.s3.keyring;
    let known = keyring.find(&claim.access_key, claim.session_token.as_ref(), state.engine.now());
    let known = known.ok_or_else(|| {
        let message = "The AWS access key Id you provided does not exist in our records.";
        Denied::new(UNKNOWN_KEY, message).with("AWSAccessKeyId", &claim.access_key)
    })?;
    let key = SigningKey::derive(&known.secret_key, &claim.scope);
    Ok(Bearer { known, key })
}

fn rules<'a>(state: &'a DoorState, signs: &Signs) -> Rules<'a> {
    let key_days = match signs {
        Signs::Upload(_) => UPLOAD_KEY_DAYS,
        Signs::For(_) | Signs::Urls | Signs::Nobody => 0,
    };
    Rules { region: &state.settings.s3.region, now: moment(state.engine.now()), skew: SKEW, key_days }
}

/// A proxy may have taken something from the path that the client signed.
fn verify(state: &DoorState, claim: &Claim, bearer: &Bearer, request: &Request<'_>) -> Result<(), Denied> {
    let rules = rules(state, &bearer.known.signs);
    let base = state.settings.public_url.as_deref().and_then(Base::parse);
    let taken = base.map_or_else(String::new, |base| base.path);
    let whole = [&taken, request.path].concat();
    // Ours are signed with all of it. Without what the proxy takes they could be sent for another key, where that begins
    // as the bucket is called.
    let likely = if bearer.known.signs == Signs::Urls { whole.as_str() } else { request.path };
    let verify = |path| claim.verify(&rules, &bearer.key, &Request { path, ..*request });
    let verified = match verify(likely) {
        Err(Denial::Mismatch(mismatch)) if likely != whole => {
            verify(&whole).map_err(|_| Denial::Mismatch(mismatch))
        }
        verified => verified,
    };
    verified.map_err(|denial| {
        let is_about_time = matches!(denial, Denial::Expired | Denial::NotYet | Denial::Skewed { .. });
        let denied = Denied::from(denial);
        if !is_about_time {
            return denied;
        }
        let denied = denied.with("RequestTime", claim.moment.to_iso()).with("ServerTime", rules.now.to_iso());
        match claim.expires {
            Some(lasts) => denied.with("Expires", claim.moment.after(lasts).to_iso()),
            None => denied.with("MaxAllowedSkewMilliseconds", SKEW.as_millis().to_string()),
        }
    })
}

/// What the client may have taken for the host: all of them mean the same file. Who may say another host than the one
/// that was signed must not say another key by it.
fn hosts(state: &DoorState, parts: &Parts) -> Vec<String> {
    let (settings, headers, path) = (&*state.settings, &parts.headers, parts.uri.path());
    let is_virtual = Address::is_virtual(headers, path, settings);
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    let public = settings.public_url.as_deref().and_then(Base::parse);
    let public = public.as_ref().map(|base| base.origin.host());
    let known = own.into_iter().chain(asked_host(settings, headers)).chain(public);
    let mut hosts: Vec<String> = Vec::new();
    for host in known.filter(|host| Address::names_bucket(host, path, settings) == is_virtual) {
        // Some clients sign the name alone and send it with the port, and the other way round.
        for spelling in [host, without_port(host)] {
            if !hosts.iter().any(|known| known == spelling) {
                hosts.push(spelling.to_owned());
            }
        }
    }
    hosts
}

/// For whom a URL or a form of ours acts, as it says itself.
#[derive(Clone, Copy, Debug)]
struct Named<'a> {
    owner: Option<&'a str>,
    manages: bool,
}

/// For whom the signature speaks, now that it is believed with all that it covers.
async fn settle(
    state: &DoorState,
    signs: Signs,
    named: Named<'_>,
) -> Result<(Principal, Option<Box<Upload>>), Denied> {
    match signs {
        Signs::For(who) => Ok((who, None)),
        Signs::Nobody => Err(Denied::new(EXPIRED_TOKEN, "The provided token has expired.")),
        Signs::Urls => {
            let owner = named.owner.ok_or_else(|| Denied::new(ACCESS_DENIED, "Access Denied"))?;
            let owner = owner.to_owned();
            let mut operations = vec![Operation::Upload, Operation::Read];
            operations.extend(named.manages.then_some(Operation::Manage));
            // What else the URL is for, its method, path and query say, and they are signed.
            Ok((Principal { owner, operations, key_prefix: String::new() }, None))
        }
        Signs::Upload(id) => {
            let upload = bound_upload(state, id).await?;
            let operations = vec![Operation::Upload, Operation::Read];
            let (owner, key_prefix) = (upload.owner.clone(), upload.key.to_string());
            Ok((Principal { owner, operations, key_prefix }, Some(Box::new(upload))))
        }
    }
}

/// The upload that a key was made for, while the key is good.
async fn bound_upload(state: &DoorState, id: UploadId) -> Result<Upload, Denied> {
    // The key knows no owner: the upload does.
    let nobody =
        Principal { owner: String::new(), operations: vec![Operation::Manage], key_prefix: String::new() };
    let upload = state.engine.head(&nobody, id).await?;
    let lasts = Duration::from_hours(24) * u32::from(UPLOAD_KEY_DAYS);
    let is_over = matches!(upload.phase, Phase::Abandoned(_)) || is_past(state, upload.created_at + lasts);
    if is_over {
        return Err(Denied::new(ACCESS_DENIED, "The upload that this key was made for is over"));
    }
    Ok(upload)
}

fn is_past(state: &DoorState, at: Timestamp) -> bool {
    state.engine.now() >= at
}
