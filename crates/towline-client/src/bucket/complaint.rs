//! What S3 says, for a person: what happened, whether it may pass, and what to do about it. Pure.

use http::StatusCode;
use towline_s3::Problem;

use crate::trouble::Trouble;

/// What was asked for, and which permission it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Begin,
    Send,
    Finish,
    Abort,
    ListParts,
    ListUploads,
    Read,
}

impl Act {
    fn doing(self) -> &'static str {
        match self {
            Self::Begin => "beginning an upload",
            Self::Send => "sending a part",
            Self::Finish => "completing an upload",
            Self::Abort => "giving an upload up",
            Self::ListParts => "listing the parts of an upload",
            Self::ListUploads => "listing unfinished uploads",
            Self::Read => "reading",
        }
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Begin | Self::Send | Self::Finish => "s3:PutObject",
            Self::Abort => "s3:AbortMultipartUpload",
            Self::ListParts => "s3:ListMultipartUploadParts",
            Self::ListUploads => "s3:ListBucketMultipartUploads",
            Self::Read => "s3:GetObject",
        }
    }
}

const KEYS_HINT: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in with `aws sso login`";

/// A problem with what is ours alone: settings or credentials.
pub(super) fn ours(problem: &Problem) -> Trouble {
    let told = towline_core::error::chain(problem);
    match told.split_once("fetching credentials for S3: ") {
        Some((_, why)) => Trouble::refused(format!("there are no credentials for S3: {why}")).hint(KEYS_HINT),
        None => Trouble::refused(told),
    }
}

pub(super) fn trouble(problem: &Problem, act: Act, at: (&str, &str)) -> Trouble {
    let what = format!("{}: {}", act.doing(), said(problem));
    let (status, code, retry_after) = match problem {
        Problem::Refused { status, code, retry_after, .. } => (*status, code.as_str(), *retry_after),
        Problem::Broken(_) if what.contains("certificate") => {
            return Trouble::refused(what).hint(
                "install its issuer in the system's certificates, or use the name that it was issued for",
            );
        }
        Problem::Broken(_) if what.contains("corrupt message") => {
            return Trouble::refused(what).hint("the endpoint does not speak TLS: should it be http:// ?");
        }
        Problem::TimedOut => return Trouble::late(what),
        Problem::Broken(_) | Problem::Garbled(_) | Problem::Differs { .. } => return Trouble::passing(what),
        Problem::Ours(_) => return ours(problem),
    };
    if problem.is_upload_missing() {
        return Trouble::gone(what);
    }
    let is_crowded = matches!(status.as_u16(), 429 | 503) || code == "SlowDown" || code == "Throttling";
    // A digest that is not that of the bytes was right when it left here.
    let is_damaged =
        matches!(code, "InvalidDigest" | "BadDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch");
    if is_crowded || is_damaged || problem.may_pass() {
        return Trouble::Passing { what, is_crowded, retry_after };
    }
    let refused = Trouble::refused(what);
    match hint(problem, (status, code), act, at) {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}

fn hint(
    problem: &Problem,
    (status, code): (StatusCode, &str),
    act: Act,
    (bucket, key): (&str, &str),
) -> Option<String> {
    Some(match code {
        "NoSuchBucket" => format!("check the name {bucket:?}, and the endpoint"),
        "RequestTimeTooSkewed" | "RequestExpired" => "set the clock of this machine".to_owned(),
        "ExpiredToken" | "ExpiredTokenException" | "InvalidToken" => {
            "these credentials have expired: log in again, as with `aws sso login`".to_owned()
        }
        _ if is_wrong_secret(problem) => "the secret access key is not that of the access key".to_owned(),
        _ if is_unknown_key(problem) => format!("this server does not know the access key: {KEYS_HINT}"),
        "EntityTooLarge" | "EntityTooSmall" => "choose another --part-size".to_owned(),
        "InvalidAccessPoint" | "MethodNotAllowed" | "NotImplemented" => {
            "is the endpoint one of S3?".to_owned()
        }
        _ if problem.region().is_some() => "say the bucket's region: --region, or AWS_REGION".to_owned(),
        _ if matches!(status.as_u16(), 401 | 403) => {
            let object = if act == Act::ListUploads { String::new() } else { format!("/{key}") };
            format!("allow {} on arn:aws:s3:::{bucket}{object}", act.permission())
        }
        _ => return None,
    })
}

/// Whether who asks is known, and may not do just this.
pub(super) fn is_denied(problem: &Problem) -> bool {
    let is_refused = problem.status() == Some(StatusCode::FORBIDDEN) && problem.code() == "AccessDenied";
    is_refused && !is_wrong_secret(problem) && !is_unknown_key(problem)
}

/// Garage has one code for all, and says in words which it is.
fn is_wrong_secret(problem: &Problem) -> bool {
    problem.code() == "SignatureDoesNotMatch" || has_words(problem, "invalid signature")
}

fn is_unknown_key(problem: &Problem) -> bool {
    problem.code() == "InvalidAccessKeyId" || has_words(problem, "no such key:")
}

fn has_words(problem: &Problem, words: &str) -> bool {
    problem.status().is_some_and(|status| status != StatusCode::NOT_FOUND)
        && said(problem).to_ascii_lowercase().contains(words)
}

/// The last of the causes is what a person can do something about.
fn said(problem: &Problem) -> String {
    match problem {
        Problem::Broken(error) => {
            let error: &(dyn std::error::Error + 'static) = &**error;
            let last = std::iter::successors(Some(error), |cause| cause.source()).last();
            format!("the connection to S3 failed: {}", last.map(ToString::to_string).unwrap_or_default())
        }
        Problem::Refused { .. }
        | Problem::TimedOut
        | Problem::Garbled(_)
        | Problem::Differs { .. }
        | Problem::Ours(_) => problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(status: u16, code: &str, message: &str) -> Trouble {
        let problem = Problem::refused(StatusCode::from_u16(status).unwrap(), code, message);
        trouble(&problem, Act::Send, ("box", "a/b"))
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for (status, code, is_crowded) in [
            (503, "SlowDown", true),
            (503, "", true),
            (429, "TooManyRequests", true),
            (500, "InternalError", false),
            (400, "RequestTimeout", false),
            (400, "BadDigest", false),
            (400, "InvalidDigest", false),
        ] {
            let Trouble::Passing { is_crowded: told, .. } = of(status, code, "") else {
                panic!("{code} may pass")
            };
            assert_eq!(told, is_crowded, "{code}");
        }
        assert!(matches!(of(404, "NoSuchUpload", ""), Trouble::Gone { .. }));
        let problem = Problem::refused(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "");
        let problem = problem.told(None, Some(Duration::from_secs(7)));
        let Trouble::Passing { retry_after, .. } = trouble(&problem, Act::Send, ("b", "k")) else { panic!() };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (status, code, message, expected) in [
            (403, "AccessDenied", "no", "allow s3:PutObject on arn:aws:s3:::box/a/b"),
            (404, "NoSuchBucket", "", "check the name \"box\", and the endpoint"),
            (403, "SignatureDoesNotMatch", "", "the secret access key is not that of the access key"),
            (
                403,
                "AccessDenied",
                "Forbidden: Invalid signature",
                "the secret access key is not that of the access key",
            ),
            (403, "RequestTimeTooSkewed", "", "set the clock of this machine"),
        ] {
            let Trouble::Refused { what, hint } = of(status, code, message) else { panic!("{code}") };
            assert_eq!(hint.as_deref(), Some(expected));
            assert_eq!(
                what,
                format!(
                    "sending a part: S3 answered {} {code}: {message}",
                    StatusCode::from_u16(status).unwrap()
                )
            );
        }
    }

    #[test]
    fn a_broken_line_says_why() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let told = trouble(&Problem::Broken(refused.into()), Act::Begin, ("b", "k"));
        assert_eq!(
            told,
            Trouble::passing("beginning an upload: the connection to S3 failed: connection refused")
        );
    }

    #[test]
    fn what_does_not_speak_tls_will_not_learn_it() {
        for (message, word) in [
            ("invalid peer certificate: UnknownIssuer", "issuer"),
            ("received corrupt message of type InvalidContentType", "http://"),
        ] {
            let error = std::io::Error::other(message);
            let Trouble::Refused { hint, .. } =
                trouble(&Problem::Broken(error.into()), Act::Begin, ("b", "k"))
            else {
                panic!("{message}")
            };
            assert!(hint.unwrap().contains(word));
        }
    }
}
