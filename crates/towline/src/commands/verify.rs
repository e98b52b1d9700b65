//! `towline verify`: whether a file here is what is stored there.

use std::sync::Arc;

use serde_json::json;
use towline_client::event::{FileNumber, Watch};
use towline_client::get::Options;
use towline_client::source::FileSource;
use towline_client::verify::{Verdict, Verify, Word};

use super::threaded;
use crate::cli;
use crate::client::{Means, Naming, choose, complain, interrupted};
use crate::exit::{Complaint, Exit};
use crate::output::printable;
use crate::progress::{Named, Progress, Style};

pub(super) fn run(asked: cli::Verify) -> Result<Exit, Complaint> {
    let means = Means::load(asked.way)?;
    let mut rest = asked.rest;
    let place = rest.pop_if(|last| last.contains("://"));
    let key = rest.pop();
    if !rest.is_empty() {
        return Err(Complaint::usage(format!(
            "{} is no place",
            printable(key.as_deref().unwrap_or_default())
        ))
        .hint("towline verify FILE [KEY] [DEST]: the last one begins with http://, https:// or s3://"));
    }
    let spot = means.spot(place.as_deref())?;
    let naming = Naming::new(&spot.key, key.as_deref())?;
    let chosen = choose(&[asked.file.clone().into_os_string()], &naming, false)?;
    let [item] = chosen.items.as_slice() else {
        return Err(Complaint::usage("several files match").hint("they are verified one by one"));
    };
    let Some(path) = item.path.clone() else {
        return Err(Complaint::usage("standard input cannot be verified").hint("name a file"));
    };
    let (name, key) = (item.name(), item.key.clone());
    let style = Style::new(asked.voice.json, asked.voice.quiet, means.terminal());
    threaded(async {
        let file = FileSource::open(&path).map_err(|trouble| complain(&trouble))?;
        let link = means.connect(&spot.place)?;
        let named = Named {
            name: name.clone(),
            key: key.clone(),
            total_bytes: Some(file.size_bytes()),
            at: link.remote.name(),
            url: None,
            is_fetched: true,
        };
        let progress = Arc::new(Progress::new(style, vec![named])?);
        let watch = Arc::<Progress>::clone(&progress) as Arc<dyn Watch>;
        let shelf = Arc::clone(&link.remote);
        let verify = Verify::new(shelf, watch, Options::default());
        let work = Box::pin(progress.accompany(verify.run(FileNumber(0), &key, &file)));
        let verdict = tokio::select! {
            verdict = work => verdict.map_err(|trouble| link.complain(&trouble))?,
            interrupted = interrupted() => {
                interrupted?;
                progress.end();
                return Ok(Exit::Interrupted);
            }
        };
        if asked.voice.json {
            progress.data(&format!("{}\n", to_json(&name, &key, &verdict)))?;
        }
        let place = printable(&link.remote.name());
        let text = to_text((&name, &printable(&key)), &place, &verdict);
        Ok(if matches!(verdict, Verdict::Same { .. }) {
            progress.print(&text)?;
            Exit::Done
        } else {
            progress.complain(&text);
            Exit::Failed
        })
    })
}

fn to_text((name, key): (&str, &str), place: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same { by, word } => {
            let how = match word {
                Word::Told => "the other end says the same",
                Word::ReadBack => "read back and compared here",
            };
            format!("{name} is stored as {key} at {place}\n  {} {}, {how}\n", by.algorithm(), by.to_hex())
        }
        Verdict::Differs { what } => {
            format!("error: {name} differs from {key} at {place}: {}\n", printable(what))
        }
        Verdict::Missing => format!("error: there is no {key} at {place}\nhint: `towline put` uploads it\n"),
    }
}

fn to_json(name: &str, key: &str, verdict: &Verdict) -> serde_json::Value {
    let (outcome, by, digest, what) = match verdict {
        Verdict::Same { by, .. } => ("same", Some(by.algorithm().name()), Some(by.to_hex()), None),
        Verdict::Differs { what } => ("differs", None, None, Some(what)),
        Verdict::Missing => ("missing", None, None, None),
    };
    let is_read_back = matches!(verdict, Verdict::Same { word: Word::ReadBack, .. });
    json!({
        "event": "verified",
        "file": name,
        "key": key,
        "outcome": outcome,
        "algorithm": by,
        "digest": digest,
        "is_read_back": is_read_back,
        "why": what,
    })
}
