//! Settings that are dangerous, or that do not do what somebody may think. Pure.

use towline_core::policy::{Existing, Transfer};
use towline_doors::{DoorKind, OriginPattern};

use super::finding::{Finding, State};
use crate::config::{Settings, StoreKind};

/// What is said by itself, and what only together.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![of_access(settings)];
    if let Err(complaint) = settings.check_pairs() {
        let told = complaint.to_text();
        let (what, hint) = told.split_once("\nhint: ").unwrap_or((&told, ""));
        let what = what.trim_start_matches("error: ").trim();
        findings.push(Finding::new("pairs", State::Wrong, what).why(hint.trim()));
    }
    findings.push(of_public_url(settings));
    findings.extend(of_shared_keys(settings));
    findings.extend(of_origins(settings));
    findings.extend(of_doors(settings));
    findings.extend(of_signing_key(settings));
    findings.extend(of_plain_http(settings));
    if !settings.disk_sync {
        findings
            .push(Finding::new("disk_sync", State::Odd, "off").why(
                "A power loss may take parts that were acknowledged: clients will not send them again.",
            ));
    }
    findings
}

fn of_access(settings: &Settings) -> Finding {
    let (topic, address) = ("access", settings.listen);
    match (settings.needs_token(), address.is_loopback(), settings.allow_anonymous) {
        (true, _, false) => Finding::new(topic, State::Ok, "every request needs a token"),
        (true, _, true) => Finding::new(topic, State::Ok, "every request needs a token").why(
            "allow_anonymous changes nothing beside tokens: it is only for servers without any.",
        ),
        (false, true, _) => Finding::new(topic, State::Ok, "anybody on this machine, and nobody else"),
        (false, false, true) => Finding::new(topic, State::Odd, format!("anybody who reaches {address} may do everything"))
            .why("Anybody may upload, read and delete. Without allow_anonymous a token is asked for: `towline token new`."),
        (false, false, false) => {
            let what = format!("{address} can be reached from other machines, and no token is asked for");
            Finding::new(topic, State::Wrong, what).why(
                "The server does not start like this. Make a token with `towline token new`, or say \
                 --allow-anonymous if anybody may do everything.",
            )
        }
    }
}

fn of_public_url(settings: &Settings) -> Finding {
    let topic = "public_url";
    match &settings.public_url {
        Some(url) => {
            let is_plain = url.0.starts_with("http://") && !is_local(&url.0);
            let state = if is_plain { State::Odd } else { State::Ok };
            let finding = Finding::new(topic, state, &url.0);
            if is_plain {
                return finding.why("Without https, everybody on the way reads tokens, signed URLs and files.");
            }
            finding
        }
        None if settings.listen.is_loopback() => {
            let what = "not set: links are made from what clients ask for";
            Finding::new(topic, State::Ok, what)
        }
        None if settings.trust_forwarded => Finding::new(topic, State::Odd, "not set; X-Forwarded-Host is believed")
            .why("Who reaches this server past the proxy decides what its links say. Set public_url."),
        None => Finding::new(topic, State::Odd, "not set: links and signed URLs are made from the Host header").why(
            "Behind a proxy they may name an address that clients cannot reach. Set public_url to what clients see.",
        ),
    }
}

fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local))
}

/// Two owners that may name the same key can replace each other's files.
fn of_shared_keys(settings: &Settings) -> Option<Finding> {
    if settings.existing == Existing::Refuse {
        return None;
    }
    let everybody = settings.token.iter().map(|_| ("default", ""));
    let listed = settings.tokens.iter().map(|token| (token.name.as_str(), token.prefix.as_str()));
    let tokens: Vec<(&str, &str)> = everybody.chain(listed).collect();
    let pair = tokens.iter().enumerate().find_map(|(at, (one, prefix))| {
        let other = tokens[at + 1..].iter().find(|(other, beside)| {
            other != one && (prefix.starts_with(beside) || beside.starts_with(prefix))
        })?;
        Some((*one, other.0))
    });
    let (one, other) = pair?;
    let what = format!("tokens of {one:?} and {other:?} may name the same keys");
    Some(Finding::new("tokens", State::Odd, what).why(
        "They can replace each other's files. Give each a prefix of its own, or set existing = \"refuse\".",
    ))
}

fn of_origins(settings: &Settings) -> Option<Finding> {
    let patterns = &settings.cors_origins.patterns;
    let topic = "cors_origins";
    if patterns.contains(&OriginPattern::Any) && !settings.needs_token() {
        let what = "pages of every origin, and no token is asked for";
        return Some(Finding::new(topic, State::Odd, what).why(
            "Any page that is opened in a browser that reaches this server can read and delete files.",
        ));
    }
    let is_public =
        !settings.listen.is_loopback() || settings.public_url.as_ref().is_some_and(|url| !is_local(&url.0));
    let is_local_only = patterns.iter().all(|pattern| OriginPattern::loopback().contains(pattern));
    (is_public && is_local_only).then(|| {
        Finding::new(topic, State::Odd, "only pages of this machine may use the server").why(
            "Browsers keep pages of other origins out. Set cors_origins to those of your pages; pages that this \
             server's own origin serves need none.",
        )
    })
}

fn of_doors(settings: &Settings) -> Option<Finding> {
    let all: Vec<DoorKind> = DoorKind::ALL.to_vec();
    let closed = all.iter().filter(|door| !settings.doors.contains(door));
    let closed: Vec<&str> = closed.map(|door| door.name()).collect();
    if settings.doors.is_empty() {
        return Some(Finding::new("doors", State::Wrong, "none is open: nobody can upload"));
    }
    (!closed.is_empty()).then(|| Finding::new("doors", State::Ok, format!("closed: {}", closed.join(", "))))
}

fn of_signing_key(settings: &Settings) -> Option<Finding> {
    let is_direct = settings.store == StoreKind::S3 && settings.s3_transfer == Transfer::Direct;
    if !is_direct || !settings.doors.contains(&DoorKind::SigningKey) {
        return None;
    }
    let topic = "signing_key";
    let Some(handed_out) = &settings.signing_key_access_key else {
        return Some(Finding::new(topic, State::Ok, "this door is closed: there is no key to hand out").why(
            "It needs signing_key_access_key and signing_key_secret_key, of a user that may only create objects.",
        ));
    };
    (Some(handed_out) == settings.s3_access_key.as_ref()).then(|| {
        Finding::new(topic, State::Wrong, "browsers are given the key that this server itself uses").why(
            "Every page could read and delete all of the bucket for seven days. Make a user that may only create \
             objects, and give its key as signing_key_access_key.",
        )
    })
}

fn of_plain_http(settings: &Settings) -> Option<Finding> {
    let endpoint = settings.s3_endpoint.as_ref().filter(|_| settings.store == StoreKind::S3)?;
    let is_plain = endpoint.0.starts_with("http://") && !is_local(&endpoint.0);
    is_plain.then(|| {
        Finding::new("s3_endpoint", State::Odd, format!("{} is not encrypted", endpoint.0))
            .why("Everybody on the way reads files and can use signed URLs. Pages served by https may not send there at all.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        use clap::Parser as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let cli = crate::cli::Cli::parse_from(["towline", "doctor", "--config", path]);
        let crate::cli::Command::Doctor(asked) = cli.command else { panic!("it was asked for") };
        asked.settings.load().unwrap().settings
    }

    /// The states of the topics that are not well.
    fn bad(text: &str) -> Vec<(&'static str, State)> {
        let settings = settings(text);
        let findings = look(&settings).into_iter().filter(|finding| finding.state != State::Ok);
        findings.map(|finding| (finding.topic, finding.state)).collect()
    }

    #[test]
    fn the_defaults_are_well() {
        assert_eq!(bad(""), []);
    }

    #[test]
    fn what_is_dangerous_or_odd_is_seen() {
        for (text, found) in [
            (
                "listen = '0.0.0.0:80'\npublic_url = 'https://a.example'\ncors_origins = ['https://b.example']",
                vec![("access", State::Wrong)],
            ),
            (
                "listen = '0.0.0.0:80'\nallow_anonymous = true\npublic_url = 'http://a.example'",
                vec![("access", State::Odd), ("public_url", State::Odd), ("cors_origins", State::Odd)],
            ),
            ("listen = '0.0.0.0:80'\ntoken = 'x'\ncors_origins = '*'", vec![("public_url", State::Odd)]),
            ("cors_origins = '*'", vec![("cors_origins", State::Odd)]),
            ("store = 's3'", vec![("pairs", State::Wrong)]),
            ("disk_sync = false", vec![("disk_sync", State::Odd)]),
            ("doors = []", vec![("doors", State::Wrong)]),
            (
                "store = 's3'\ns3_bucket = 'b'\ns3_endpoint = 'http://s3.example'\ns3_access_key = 'k'\n\
                 s3_secret_key = 's'\nsigning_key_access_key = 'k'\nsigning_key_secret_key = 's'",
                vec![("signing_key", State::Wrong), ("s3_endpoint", State::Odd)],
            ),
        ] {
            assert_eq!(bad(text), found, "{text}");
        }
    }

    #[test]
    fn owners_that_share_keys_are_named() {
        let two = |one: &str, other: &str, existing: &str| {
            let sha256 = "0".repeat(64);
            bad(&format!(
                "existing = '{existing}'\n[[tokens]]\nname = 'a'\nsha256 = '{sha256}'\nprefix = '{one}'\n\
                 [[tokens]]\nname = 'b'\nsha256 = '{}'\nprefix = '{other}'",
                sha256.replace('0', "1")
            ))
        };
        assert_eq!(two("in/", "", "replace"), [("tokens", State::Odd)]);
        assert_eq!(two("a/", "b/", "replace"), []);
        assert_eq!(two("", "", "refuse"), []);
    }
}
