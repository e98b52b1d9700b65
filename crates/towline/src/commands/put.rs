//! `towline put`: finds the files and their names, then sends them.

mod plan;
mod send;
mod story;

use std::collections::BTreeMap;

use towline_client::journal::Journal;
use towline_client::remote::Ticket;

use super::uploads::Known;
use super::{resume, threaded};
use crate::cli::{self, is_place};
use crate::client::{Chosen, Item, Means, Naming, Place, choose};
use crate::exit::{Complaint, Exit};
use crate::output::{self, printable};
use crate::progress::Style;

pub(super) use send::{Sending, send};

/// What all files of a run have in common.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) part_bytes: Option<u64>,
    pub(super) content_type: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) workers: Option<u16>,
    pub(super) tries: Option<u32>,
    pub(super) stop_at: Option<f64>,
    /// The upload of the only file.
    pub(super) ticket: Option<Ticket>,
}

pub(super) fn run(mut asked: cli::Put) -> Result<Exit, Complaint> {
    let place = asked.files.pop_if(|last| is_place(last));
    if asked.files.is_empty() {
        return Err(Complaint::usage("nobody said what to upload").hint("towline put FILE... [DEST]"));
    }
    let place = place.map(|place| place.to_string_lossy().into_owned());
    let wishes = wishes(&mut asked)?;
    let means = Means::load(asked.way)?;
    let spot = means.spot(place.as_deref())?;
    let naming = Naming::new(&spot.key, asked.key.as_deref())?;
    let chosen = choose(&asked.files, &naming, asked.recursive)?;
    let style = Style::new(asked.voice.json, asked.voice.quiet, means.terminal());
    let Chosen { items, warnings } = chosen;
    if !asked.voice.quiet {
        for warning in &warnings {
            output::say(&format!("warning: {warning}\n"));
        }
    }
    let journal = if asked.no_journal { None } else { journal(&means) };
    let is_named = asked.key.is_some() || !spot.key.is_empty();
    let known = asked.resume.map(|id| known(&id, &items, (&spot.place, journal.as_ref()))).transpose()?;
    threaded(async {
        let (link, ticket, items) = match known {
            Some(known) if !asked.dry_run => {
                let (link, ticket) = Box::pin(resume::look(&means, known)).await?;
                let items = called(items, &ticket, is_named)?;
                (link, Some(ticket), items)
            }
            Some(_) | None => (means.connect(&spot.place)?, None, items),
        };
        let sending = Sending { link, items, journal, wishes: Wishes { ticket, ..wishes }, style };
        if asked.dry_run {
            return plan::show(&sending, asked.voice.json);
        }
        Box::pin(send(sending)).await
    })
}

/// Without it, uploads are found again by their content only.
pub(super) fn journal(means: &Means) -> Option<Journal> {
    match means.journal() {
        Ok(journal) => Some(journal),
        Err(complaint) => {
            output::say(&complaint.to_text().replacen("error: ", "warning: ", 1));
            None
        }
    }
}

fn wishes(asked: &mut cli::Put) -> Result<Wishes, Complaint> {
    let mut metadata = BTreeMap::new();
    for (name, value) in std::mem::take(&mut asked.meta) {
        if metadata.insert(name.clone(), value).is_some() {
            return Err(Complaint::usage(format!("--meta says {name} twice")));
        }
    }
    Ok(Wishes {
        part_bytes: asked.part_size.map(|size| size.0),
        content_type: asked.content_type.take(),
        metadata,
        workers: asked.workers,
        tries: Some(asked.tries),
        stop_at: asked.simulate_failure,
        ticket: None,
    })
}

/// The upload of this id. The first characters are enough where the journal knows it.
fn known(id: &str, items: &[Item], (place, journal): (&Place, Option<&Journal>)) -> Result<Known, Complaint> {
    let [item] = items else {
        return Err(Complaint::usage("--resume is for one file"));
    };
    let entries = journal.and_then(|journal| journal.by_id(id).ok()).unwrap_or_default();
    let ticket = match entries.as_slice() {
        [entry] => entry.ticket.clone(),
        _ => Ticket::new(id, &item.key),
    };
    Ok(Known { ticket, place: place.clone(), entry: None })
}

/// The file goes where its upload goes. A name that was said must not be another one.
fn called(items: Vec<Item>, ticket: &Ticket, is_named: bool) -> Result<Vec<Item>, Complaint> {
    if let Some(item) = items.iter().find(|item| is_named && item.key != ticket.key) {
        let (id, key) = (printable(&ticket.id), printable(&ticket.key));
        let complaint =
            Complaint::usage(format!("upload {id} is of {key:?}, and not of {:?}", printable(&item.key)));
        return Err(
            complaint.hint("its key cannot be changed: leave --resume away to upload under another one")
        );
    }
    Ok(items.into_iter().map(|item| Item { key: ticket.key.clone(), ..item }).collect())
}
