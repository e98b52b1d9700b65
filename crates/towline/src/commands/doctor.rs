//! `towline doctor`: looks at the settings, the data folder and the bucket, and says what is missing. It changes
//! nothing but what `--fix` asks for.

mod aws;
mod bucket;
mod data;
mod finding;
mod lifecycle;
mod odd;
mod pages;

use std::sync::Arc;

use towline_backends::s3::examine::Examiner;
use towline_core::clock::Clock as _;
use towline_doors::OriginPattern;

use super::block_on;
use crate::clock::SystemClock;
use crate::config::{Settings, StoreKind};
use crate::exit::{Complaint, Exit};
use crate::{cli, output, wiring};
use bucket::Wanted;
use finding::{Area, Finding, State, is_well, to_json, to_text};

pub(super) fn run(asked: cli::Doctor) -> Result<Exit, Complaint> {
    let cli::Doctor { settings, fix, json, origins } = asked;
    let settings = settings.load()?.settings;
    if fix && settings.store != StoreKind::S3 {
        return Err(Complaint::usage("--fix sets the rules of a bucket, and the store is disk")
            .hint("without --fix, `towline doctor` says what there is to do"));
    }
    let areas = block_on(async { Ok(Box::pin(look(&settings, origins, fix)).await) })?;
    output::data(&if json { to_json(&areas) } else { to_text(&areas) })?;
    Ok(if is_well(&areas) { Exit::Done } else { Exit::Failed })
}

async fn look(settings: &Settings, origins: Vec<OriginPattern>, fix: bool) -> Vec<Area> {
    let of = format!("of towline {}", env!("CARGO_PKG_VERSION"));
    let mut areas = vec![
        Area { name: "Settings", of, findings: odd::look(settings) },
        Area {
            name: "Data folder",
            of: settings.data.display().to_string(),
            findings: data::look(settings).await,
        },
    ];
    if settings.store == StoreKind::S3 && settings.check_pairs().is_ok() {
        areas.push(Box::pin(of_bucket(settings, origins, fix)).await);
    }
    areas
}

async fn of_bucket(settings: &Settings, origins: Vec<OriginPattern>, fix: bool) -> Area {
    let name = "Bucket";
    let examined = wiring::s3_settings(settings, &settings.data).and_then(|asked| {
        let examiner = Examiner::new(asked.clone(), Arc::new(SystemClock))?;
        Ok((asked, examiner))
    });
    let (asked, examiner) = match examined {
        Ok(examined) => examined,
        Err(error) => {
            let findings = vec![Finding::new("reach", State::Wrong, format!("{error:#}"))];
            return Area { name, of: String::new(), findings };
        }
    };
    let patterns = settings.cors_origins.patterns.iter().chain(&origins);
    let wanted = Wanted {
        bucket: aws::Bucket {
            name: asked.bucket.clone(),
            region: asked.region.clone(),
            endpoint: asked.endpoint.clone(),
        },
        access_key: settings.s3_access_key.as_ref().map(|key| key.0.clone()),
        path_style: asked.path_style,
        prefix: asked.prefix.clone(),
        origins: as_rules_say(patterns),
        transfer: settings.s3_transfer,
        existing: settings.existing,
        keep_unfinished: settings.keep_unfinished.0,
        now: SystemClock.now(),
        fix,
    };
    let of = format!("{} at {}", asked.bucket, examiner.url());
    Area { name, of, findings: Box::pin(bucket::look(&examiner, &wanted)).await }
}

/// Patterns of origins in the words of CORS rules, where a `*` stands for at least the colon.
fn as_rules_say<'a>(patterns: impl Iterator<Item = &'a OriginPattern>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for pattern in patterns {
        let texts = match pattern {
            OriginPattern::Any => return vec!["*".to_owned()],
            OriginPattern::Exactly(origin) => vec![origin.clone()],
            OriginPattern::AnyPort(stem) => vec![stem.clone(), format!("{stem}:*")],
        };
        for text in texts {
            if !said.contains(&text) {
                said.push(text);
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_may_be_any_may_also_be_none() {
        let patterns = |texts: &[&str]| -> Vec<OriginPattern> {
            texts.iter().map(|text| OriginPattern::parse(text).unwrap()).collect()
        };
        let said =
            as_rules_say(patterns(&["http://localhost:*", "https://a.example", "https://a.example"]).iter());
        assert_eq!(said, ["http://localhost", "http://localhost:*", "https://a.example"]);
        assert_eq!(as_rules_say(patterns(&["https://a.example", "*"]).iter()), ["*"]);
    }
}
