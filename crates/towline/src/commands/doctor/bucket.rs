//! What a bucket is set to and what it can do, judged for what the settings want of it.

use std::time::Duration;

use towline_backends::s3::examine::{Abilities, Act, Examiner, Reach, Tried, Trouble, Unfinished};
use towline_core::clock::Timestamp;
use towline_core::digest::Algorithm;
use towline_core::error::chain;
use towline_core::policy::{Existing, Transfer};

use super::aws::{self, Bucket};
use super::finding::{Finding, State};
use super::{lifecycle, pages};
use crate::output::age;

/// S3 takes no signature that is further from its own time.
const AHEAD_S_MAX: u64 = 15 * 60;
/// A clock that is followed is never so far away.
const AHEAD_S_ODD: u64 = 60;

/// What the settings want of the bucket.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) bucket: Bucket,
    pub(super) access_key: Option<String>,
    pub(super) path_style: bool,
    pub(super) prefix: String,
    /// Pages that send to the bucket, as CORS rules say it.
    pub(super) origins: Vec<String>,
    pub(super) transfer: Transfer,
    pub(super) existing: Existing,
    pub(super) keep_unfinished: Duration,
    pub(super) now: Timestamp,
    /// What is missing may be set.
    pub(super) fix: bool,
}

impl Wanted {
    /// What it means that rules cannot be read: whoever asked for them to be set has not got that.
    pub(super) fn unread(&self) -> State {
        if self.fix { State::Wrong } else { State::Unknown }
    }
}

/// Looks at everything, as far as the bucket lets itself be looked at.
pub(super) async fn look(examiner: &Examiner, wanted: &Wanted) -> Vec<Finding> {
    let reach = Box::pin(examiner.reach()).await;
    let mut findings = of_reach(&reach, wanted);
    let is_lost = findings.iter().any(|finding| finding.state == State::Wrong && finding.topic != "clock");
    if is_lost {
        return findings;
    }
    let tried = Box::pin(examiner.try_all()).await;
    findings.push(of_permissions(&tried, wanted));
    let may_all = tried.iter().all(|tried| tried.outcome.is_ok());
    if may_all {
        match Box::pin(examiner.abilities()).await {
            Ok(abilities) => findings.extend([of_checksums(abilities), of_conditions(abilities, wanted)]),
            Err(fault) => findings.push(Finding::new("checksums", State::Unknown, chain(&fault))),
        }
    }
    findings.extend(Box::pin(pages::look(examiner, wanted, may_all)).await);
    findings.extend(Box::pin(lifecycle::look(examiner, wanted)).await);
    findings.push(of_unfinished(examiner.unfinished().await, wanted));
    findings
}

fn of_reach(reach: &Reach, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &reach.outcome {
        Ok(()) => {
            let what = format!("it answered in {} ms", reach.took.as_millis());
            findings.push(Finding::new("reach", State::Ok, what));
        }
        // It may be allowed to do all but list: what it may do is tried next.
        Err(trouble) if trouble.is_denied() && !trouble.is_about_caller() => {}
        Err(trouble) => findings.push(explain(trouble, wanted)),
    }
    findings.extend(reach.ahead_s.map(of_clock));
    let named = reach.region.as_deref();
    let is_told = findings.iter().any(|finding| finding.topic == "region");
    if let Some(region) = named.filter(|_| !is_told) {
        findings.push(if region == wanted.bucket.region {
            Finding::new("region", State::Ok, region)
        } else {
            wrong_region(region, wanted)
        });
    }
    findings
}

/// Why nothing can be done with the bucket, and what to look at.
fn explain(trouble: &Trouble, wanted: &Wanted) -> Finding {
    if let Some(region) = trouble.region() {
        return wrong_region(region, wanted);
    }
    let bucket = &wanted.bucket;
    let endpoint = bucket.endpoint.as_deref().unwrap_or("AWS");
    let said = trouble.to_string();
    let (topic, hint) = match trouble {
        Trouble::Credentials(_) => (
            "credentials",
            "Set TOWLINE_S3_ACCESS_KEY and TOWLINE_S3_SECRET_KEY, or one of the sources that AWS's tools use: \
             environment, profile, role."
                .to_owned(),
        ),
        Trouble::Unreachable(_) if endpoint.starts_with("https://") => (
            "reach",
            format!(
                "Does a server run at {endpoint}, and can this machine reach it? With https it must speak TLS, with a \
                 certificate that this machine trusts. See s3_endpoint."
            ),
        ),
        Trouble::Unreachable(_) if wanted.path_style => {
            ("reach", format!("Does a server run at {endpoint}, and can this machine reach it? See s3_endpoint."))
        }
        Trouble::Unreachable(_) => (
            "reach",
            format!(
                "The bucket's name is the first part of the host. Does {endpoint} have it there? \
                 --s3-path-style puts it into the path."
            ),
        ),
        Trouble::Silent(_) => (
            "reach",
            format!("Something at {endpoint} takes connections and says nothing: a firewall, or not this port?"),
        ),
        Trouble::Garbled(_) | Trouble::Ignored(_) => ("reach", format!("Is {endpoint} the address of its S3 API, not of its console?")),
        Trouble::Refused(refused) => {
            return of_refusal(&refused.code, &refused.message, said, wanted);
        }
    };
    Finding::new(topic, State::Wrong, said).why(hint)
}

fn of_refusal(code: &str, message: &str, said: String, wanted: &Wanted) -> Finding {
    let key = wanted.access_key.as_deref().unwrap_or("that the chain of credentials gave");
    let message = message.to_ascii_lowercase();
    let (topic, hint) = match code {
        "InvalidAccessKeyId" => ("credentials", format!("The server does not know the access key {key}.")),
        _ if message.contains("no such key:") => {
            ("credentials", format!("The server does not know the access key {key}."))
        }
        "SignatureDoesNotMatch" => {
            ("credentials", format!("The secret key is not the one of the access key {key}."))
        }
        _ if message.contains("invalid signature") => {
            ("credentials", format!("The secret key is not the one of the access key {key}."))
        }
        "ExpiredToken" | "InvalidToken" => {
            ("credentials", "The session token ran out: temporary keys have to be fetched anew.".to_owned())
        }
        "RequestTimeTooSkewed" => (
            "clock",
            "Signatures hold for 15 minutes. Let this machine follow a time server (NTP).".to_owned(),
        ),
        "NoSuchBucket" => {
            let region = &wanted.bucket.region;
            let place = format!("--create-bucket-configuration LocationConstraint={}", aws::quote(region));
            let needs_place = wanted.bucket.endpoint.is_none() && region != "us-east-1";
            let make = wanted.bucket.command("create-bucket", if needs_place { &place } else { "" });
            return Finding::new("reach", State::Wrong, said)
                .why(format!("There is no bucket {:?} here. See s3_bucket, or make it:", wanted.bucket.name))
                .cure("By the AWS CLI:", make);
        }
        _ => {
            return Finding::new("reach", State::Wrong, format!("the server answered {said}"))
                .why("Is it an S3 server? See s3_endpoint, s3_bucket and s3_path_style.");
        }
    };
    Finding::new(topic, State::Wrong, said).why(hint)
}

fn wrong_region(region: &str, wanted: &Wanted) -> Finding {
    let what = format!("the bucket is in {region}, the settings say {}", wanted.bucket.region);
    Finding::new("region", State::Wrong, what)
        .why(format!("Signatures are for one region, others are refused. Say --s3-region {region}."))
}

fn of_clock(ahead_s: i64) -> Finding {
    let apart = ahead_s.unsigned_abs();
    let way = if ahead_s > 0 { "ahead of" } else { "behind" };
    let what = format!("this machine's is {} {way} the server's", age(Duration::from_secs(apart)));
    let follow = "Let this machine follow a time server (NTP).";
    match apart {
        // The header tells whole seconds, and the answer took its time.
        0..=2 => Finding::new("clock", State::Ok, "as the server's"),
        3..=AHEAD_S_ODD => Finding::new("clock", State::Ok, what),
        _ if apart <= AHEAD_S_MAX => Finding::new("clock", State::Odd, what).why(format!(
            "S3 refuses signatures that are 15 minutes away, and signed URLs end early. {follow}"
        )),
        _ => Finding::new("clock", State::Wrong, what)
            .why(format!("S3 refuses all signatures that are 15 minutes away. {follow}")),
    }
}

fn of_permissions(tried: &[Tried], wanted: &Wanted) -> Finding {
    let failed: Vec<(Act, &Trouble)> =
        tried.iter().filter_map(|tried| Some((tried.act, tried.outcome.as_ref().err()?))).collect();
    if failed.is_empty() {
        let names: Vec<&str> = tried.iter().map(|tried| tried.act.name()).collect();
        return Finding::new("permissions", State::Ok, format!("tried: {}", names.join(", ")));
    }
    let told: Vec<String> = failed
        .iter()
        .map(|(act, trouble)| format!("cannot {} ({}): {trouble}", act.name(), act.action()))
        .collect();
    let finding = Finding::new("permissions", State::Wrong, told.join("; "));
    if !failed.iter().any(|(_, trouble)| trouble.is_denied()) {
        return finding.why("The store needs all of them. The server's words are above.");
    }
    let policy = aws::policy(&wanted.bucket.name, &wanted.prefix);
    finding
        .why(
            "The store needs all of them. On AWS the policy below is enough; elsewhere the key needs to read and \
             write the bucket.",
        )
        .cure("As a policy of IAM:", format!("{policy:#}"))
}

fn of_checksums(abilities: Abilities) -> Finding {
    let what = match (abilities.parts, abilities.checks_whole) {
        (Some(Algorithm::Crc64Nvme), true) => "the server checks CRC-64/NVME of parts and of the whole",
        (Some(Algorithm::Crc64Nvme), false) => "the server checks CRC-64/NVME of parts",
        (Some(_), _) => "the server checks CRC32C of parts",
        (None, _) => "the server checks none that we know; its ETags are compared with our own MD5",
    };
    Finding::new("checksums", State::Ok, what)
}

fn of_conditions(abilities: Abilities, wanted: &Wanted) -> Finding {
    let topic = "conditions";
    match (abilities.has_conditions, wanted.existing) {
        (true, _) => Finding::new(topic, State::Ok, "the server can refuse to replace an object"),
        (false, Existing::Replace) => {
            let what = "the server cannot refuse to replace an object; existing = replace does not need it";
            Finding::new(topic, State::Ok, what)
        }
        (false, Existing::Refuse) => Finding::new(topic, State::Odd, "the server cannot refuse to replace an object").why(
            "existing = refuse looks first and then completes: two uploads of the same name that end in the same \
             moment may both be taken.",
        ),
    }
}

fn of_unfinished(found: Result<Unfinished, Trouble>, wanted: &Wanted) -> Finding {
    let topic = "unfinished";
    let Unfinished { count, oldest, has_more } = match found {
        Ok(found) => found,
        Err(trouble) => return Finding::new(topic, State::Unknown, trouble.to_string()),
    };
    let Some(oldest) = oldest else {
        return Finding::new(topic, State::Ok, "no multipart uploads are under way in the bucket");
    };
    let since = wanted.now.since(oldest);
    let more = if has_more { "more than " } else { "" };
    let what = format!("{more}{count} multipart uploads in the bucket, the oldest is {} old", age(since));
    if since <= wanted.keep_unfinished + lifecycle::GRACE {
        return Finding::new(topic, State::Ok, what);
    }
    Finding::new(topic, State::Odd, what).why(
        "Parts of uploads that nobody finishes are paid for and not seen. The lifecycle rule clears them away.",
    )
}

/// What tests want of a bucket.
#[cfg(test)]
pub(super) mod testing {
    use std::time::Duration;

    use towline_core::clock::Timestamp;
    use towline_core::policy::{Existing, Transfer};

    use super::{Bucket, Wanted};

    pub(in super::super) fn wanted() -> Wanted {
        Wanted {
            bucket: Bucket { name: "box".into(), region: "us-east-1".into(), endpoint: None },
            access_key: Some("AKIA".into()),
            path_style: false,
            prefix: "in/".into(),
            origins: vec!["https://app.example".into()],
            transfer: Transfer::Direct,
            existing: Existing::Refuse,
            keep_unfinished: Duration::from_hours(168),
            now: Timestamp::from_millis(10_000_000_000),
            fix: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_backends::s3::examine::Refused;

    use super::testing::wanted;
    use super::*;

    fn refused(status: u16, code: &str, message: &str, region: Option<&str>) -> Trouble {
        let region = region.map(str::to_owned);
        Trouble::Refused(Refused { status, code: code.into(), message: message.into(), region })
    }

    #[test]
    fn what_keeps_us_out_is_named() {
        for (trouble, topic, words) in [
            (
                refused(403, "InvalidAccessKeyId", "", None),
                "credentials",
                "does not know the access key AKIA",
            ),
            (
                refused(403, "AccessDenied", "Forbidden: No such key: AKIA", None),
                "credentials",
                "does not know",
            ),
            (refused(403, "SignatureDoesNotMatch", "", None), "credentials", "secret key is not the one of"),
            (refused(403, "AccessDenied", "Forbidden: Invalid signature", None), "credentials", "secret key"),
            (refused(301, "PermanentRedirect", "", Some("eu-north-1")), "region", "--s3-region eu-north-1"),
            (refused(404, "NoSuchBucket", "", None), "reach", "create-bucket --bucket box"),
            (refused(403, "RequestTimeTooSkewed", "", None), "clock", "time server"),
            (Trouble::Silent(Duration::from_secs(10)), "reach", "says nothing"),
            (Trouble::Unreachable("refused".into()), "reach", "--s3-path-style"),
            (Trouble::Credentials("none".into()), "credentials", "TOWLINE_S3_ACCESS_KEY"),
        ] {
            let finding = explain(&trouble, &wanted());
            assert_eq!((finding.topic, finding.state), (topic, State::Wrong), "{trouble:?}");
            assert!(format!("{finding:?}").contains(words), "{finding:?}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_s3_takes() {
        for (ahead_s, state) in
            [(0, State::Ok), (-30, State::Ok), (200, State::Odd), (-900, State::Odd), (901, State::Wrong)]
        {
            assert_eq!(of_clock(ahead_s).state, state, "{ahead_s}");
        }
        assert_eq!(of_clock(-1800).what, "this machine's is 30m behind the server's");
    }

    #[test]
    fn old_uploads_are_pointed_out() {
        let found = |days: u64| {
            let oldest = wanted().now.before(Duration::from_hours(24 * days));
            of_unfinished(Ok(Unfinished { count: 3, oldest: Some(oldest), has_more: false }), &wanted())
        };
        assert_eq!((found(2).state, found(40).state), (State::Ok, State::Odd));
        assert_eq!(found(40).what, "3 multipart uploads in the bucket, the oldest is 40d old");
    }

    #[test]
    fn what_is_not_allowed_is_named_with_the_policy_that_allows_it() {
        let denied = refused(403, "AccessDenied", "No", None);
        let tried = |outcome| [Tried { act: Act::Put, outcome: Ok(()) }, Tried { act: Act::Abort, outcome }];
        assert_eq!(of_permissions(&tried(Ok(())), &wanted()).state, State::Ok);
        let finding = of_permissions(&tried(Err(denied)), &wanted());
        let told = "cannot abort a multipart upload (s3:AbortMultipartUpload): 403 AccessDenied: No";
        assert_eq!((finding.state, finding.what.as_str()), (State::Wrong, told));
        assert!(finding.cures[0].text.contains("arn:aws:s3:::box/in/*"));
    }
}
