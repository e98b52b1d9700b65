//! `towline get`: a file from a server, a bucket or the web.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use towline_client::event::{FileNumber, Watch};
use towline_client::get::{Fetched, Get, Options};
use towline_client::remote::{Remote, Shelf};
use towline_client::trouble::Trouble;

use super::threaded;
use crate::cli;
use crate::client::{Link, Means, Origin, complain, hex64, interrupted, rate, seconds};
use crate::exit::{Complaint, Exit};
use crate::output::{bytes, printable};
use crate::progress::{Named, Progress, Style};

pub(super) fn run(asked: cli::Get) -> Result<Exit, Complaint> {
    let means = Means::load(asked.way)?;
    let is_unnamed = asked.file.is_none();
    // Without a name of its own it gets the one of its key.
    let target = asked.file.unwrap_or_else(|| PathBuf::from("."));
    let is_piped = target == Path::new("-");
    if is_piped && asked.voice.json {
        return Err(
            Complaint::usage("standard output cannot take both the file and JSON").hint("name a file")
        );
    }
    let origin = Origin::parse(&asked.from, means.server.as_ref().map(|server| server.0.as_str()))?;
    if let Origin::Url { url, name } = &origin
        && is_unnamed
        && (name.is_empty() || name.ends_with('/'))
    {
        return Err(Complaint::usage(format!("{} does not end in a file's name", printable(url)))
            .hint("say what it shall be called here: towline get URL FILE"));
    }
    let usual = Options::default();
    let options = Options { workers: asked.workers.map_or(usual.workers, usize::from), ..usual };
    let style = Style::new(asked.voice.json, asked.voice.quiet, means.terminal());
    threaded(async {
        let found = Box::pin(find(&means, origin)).await?;
        let key = &found.key;
        let named = Named {
            name: key.clone(),
            key: key.clone(),
            at: found.at.clone(),
            is_fetched: true,
            ..Named::default()
        };
        let progress = Arc::new(Progress::new(style, vec![named])?);
        let get =
            Get::new(Arc::clone(&found.shelf), Arc::<Progress>::clone(&progress) as Arc<dyn Watch>, options);
        let work = Box::pin(progress.accompany(get.run(FileNumber(0), key, &target)));
        let fetched = tokio::select! {
            fetched = work => fetched,
            interrupted = interrupted() => {
                interrupted?;
                progress.end();
                progress.complain("interrupted\nhint: run the same command again: what has arrived is not fetched again\n");
                return Ok(Exit::Interrupted);
            }
        };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(trouble) => return Err(Box::pin(explain(&trouble, &found)).await),
        };
        let text = outcome(key, &fetched);
        if is_piped {
            progress.say(&text);
        } else {
            progress.print(&text)?;
        }
        Ok(Exit::Done)
    })
}

/// Where a file is read.
struct Found {
    shelf: Arc<dyn Shelf>,
    /// What it is called there.
    key: String,
    /// How the place is called in messages.
    at: String,
    /// Nothing is a file of the web.
    link: Option<Link>,
}

async fn find(means: &Means, origin: Origin) -> Result<Found, Complaint> {
    let spot = match origin {
        Origin::Url { url, name } => {
            let (shelf, key) = Means::file(&url).await?;
            // What follows may be a signature.
            let at = url.split(['?', '#']).next().unwrap_or_default().to_owned();
            return Ok(Found { shelf, key: key.unwrap_or(name), at, link: None });
        }
        Origin::Stored(spot) => spot,
        Origin::Key(key) => {
            let spot = means.spot(None).map_err(|complaint| {
                complaint.hint(
                    "name it by --server URL or TOWLINE_SERVER, or write s3://BUCKET/KEY or a whole URL",
                )
            })?;
            crate::client::Spot { key, ..spot }
        }
    };
    let link = means.connect(&spot.place)?;
    let at = link.remote.name();
    Ok(Found { shelf: Arc::<dyn Remote>::clone(&link.remote), key: spot.key, at, link: Some(link) })
}

/// A key that leads nowhere is mostly one of another place.
async fn explain(trouble: &Trouble, Found { shelf, key, at, link }: &Found) -> Complaint {
    if !matches!(trouble, Trouble::Refused { .. }) || !matches!(shelf.stored(key).await, Ok(None)) {
        return link.as_ref().map_or_else(|| complain(trouble), |link| link.complain(trouble));
    }
    Complaint::from(anyhow!("there is no file {} at {}", printable(key), printable(at)))
        .hint("another place is named by --server URL, s3://BUCKET/KEY or a whole URL")
}

fn outcome(key: &str, fetched: &Fetched) -> String {
    let path = fetched.path.as_ref().map(|path| printable(&path.to_string_lossy()));
    let kept = match fetched.kept_bytes {
        0 => String::new(),
        kept => format!("; {} of it here from before", bytes(kept)),
    };
    let checked = match &fetched.checked {
        Some(digest) => format!("as the other end says ({})", digest.algorithm()),
        None => "the other end tells no digest to compare with".to_owned(),
    };
    format!(
        "{} -> {}\n  {} in {}, {}{kept}; {}\n  CRC-64/NVME {}, {checked}\n",
        printable(key),
        path.as_deref().unwrap_or("standard output"),
        bytes(fetched.size_bytes),
        seconds(fetched.took),
        rate(fetched.received_bytes, fetched.took),
        crate::client::retries(fetched.retries),
        hex64(fetched.crc64),
    )
}
