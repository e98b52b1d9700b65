//! `towline status`: how far uploads are, asked where they are.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::timeout;
use towline_client::journal::Journal;
use towline_client::remote::{State, Ticket, Upload};
use towline_doors::rfc3339;

use super::threaded;
use super::uploads::{Known, find, place_of};
use crate::cli;
use crate::client::{Link, Means, Place, seconds};
use crate::exit::{Complaint, Exit};
use crate::output::{self, bytes, printable, table};

/// More would only crowd a server.
const ASKED_AT_ONCE: usize = 8;
/// Who has not answered by then does not answer now: there are others to tell of.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an upload's place says of it.
#[derive(Debug)]
struct Answer {
    known: Known,
    state: Result<State, String>,
}

pub(super) fn run(asked: cli::Status) -> Result<Exit, Complaint> {
    let means = Means::load(asked.way)?;
    let journal = match (&asked.id, means.journal()) {
        (_, Ok(journal)) => Some(journal),
        // Nothing but the journal knows them all.
        (None, Err(complaint)) => return Err(complaint),
        (Some(_), Err(_)) => None,
    };
    let known = match &asked.id {
        Some(id) => vec![find((id, asked.to.as_deref()), &means, journal.as_ref())?],
        None => all(journal.as_ref())?,
    };
    let answers = threaded(async { Ok(Box::pin(ask(&means, known)).await) })?;
    let is_well = answers.iter().all(|answer| matches!(answer.state, Ok(State::Open(_) | State::Sealed(_))));
    output::data(&if asked.json {
        let mut lines = String::new();
        for answer in &answers {
            writeln!(lines, "{}", answer.to_json()).expect("a String takes every write");
        }
        lines
    } else {
        let head = ["ID", "STATUS", "PARTS", "LANDED", "SIZE", "PLACE", "KEY"].map(str::to_owned).to_vec();
        let rows = answers.iter().map(Answer::to_row);
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    })?;
    if answers.is_empty() && !asked.json {
        output::say("Nothing that was begun from this machine is unfinished.\n");
    }
    for answer in &answers {
        if let Err(why) = &answer.state {
            output::say(&format!("warning: {}: {why}\n", answer.name()));
        }
    }
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}

/// All uploads that the journal remembers, newest first.
fn all(journal: Option<&Journal>) -> Result<Vec<Known>, Complaint> {
    let listing = journal.map(Journal::entries).transpose();
    let listing = listing.map_err(|broken| anyhow::anyhow!("cannot look into the journal: {broken}"))?;
    let listing = listing.unwrap_or_default();
    for path in &listing.unreadable {
        output::say(&format!("warning: {} cannot be read\n", printable(&path.to_string_lossy())));
    }
    let known = listing.entries.into_iter().map(|entry| {
        Ok(Known { ticket: entry.ticket.clone(), place: place_of(&entry)?, entry: Some(entry) })
    });
    known.collect()
}

/// All places at the same time: one that is silent keeps no other one waiting. The answers are in the order of the uploads.
async fn ask(means: &Means, known: Vec<Known>) -> Vec<Answer> {
    let mut places: Vec<(Place, Vec<(usize, Known)>)> = Vec::new();
    for (number, known) in known.into_iter().enumerate() {
        match places.iter_mut().find(|(place, _)| *place == known.place) {
            Some((_, uploads)) => uploads.push((number, known)),
            None => places.push((known.place.clone(), vec![(number, known)])),
        }
    }
    let asked = places.into_iter().map(|(place, uploads)| ask_place(means, place, uploads));
    let mut answers: Vec<(usize, Answer)> = join_all(asked).await.into_iter().flatten().collect();
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// One that was silent once is not waited for again.
async fn ask_place(means: &Means, place: Place, uploads: Vec<(usize, Known)>) -> Vec<(usize, Answer)> {
    let link = means.connect(&place).map_err(|complaint| plain(&complaint));
    let (link, is_silent) = (&link, &AtomicBool::new(false));
    let asked = uploads.into_iter().map(|(number, known)| async move {
        let state = match link {
            Ok(link) => Box::pin(look(link, &known.ticket, is_silent)).await,
            Err(why) => Err(why.clone()),
        };
        (number, Answer { known, state })
    });
    stream::iter(asked).buffer_unordered(ASKED_AT_ONCE).collect().await
}

async fn look(link: &Link, ticket: &Ticket, is_silent: &AtomicBool) -> Result<State, String> {
    let answer = if is_silent.load(Ordering::Relaxed) {
        None
    } else {
        timeout(PATIENCE, link.remote.look(ticket)).await.ok()
    };
    match answer {
        Some(Ok(state)) => Ok(state),
        // Nobody else says why there was no token.
        Some(Err(trouble)) if link.withheld.is_some() => {
            let text = link.complain(&trouble).to_text();
            Err(text.trim_start_matches("error: ").trim_end().replace("\nhint: ", "; "))
        }
        Some(Err(trouble)) => Err(plain(&link.complain(&trouble))),
        None => {
            is_silent.store(true, Ordering::Relaxed);
            let (name, span) = (printable(&link.remote.name()), seconds(PATIENCE));
            Err(format!("{name} has not answered within {span}"))
        }
    }
}

/// On one line, without the hint.
fn plain(complaint: &Complaint) -> String {
    let text = complaint.to_text();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Answer {
    /// As people know the upload.
    fn name(&self) -> String {
        let path = self.known.entry.as_ref().and_then(|entry| entry.errand.path.as_ref());
        let name = path.map_or(self.key().into(), |path| path.to_string_lossy());
        let id = printable(&self.known.ticket.id);
        if name.is_empty() { id } else { format!("{} (upload {id})", printable(&name)) }
    }

    fn status(&self) -> &'static str {
        match &self.state {
            Ok(State::Open(_)) => "open",
            Ok(State::Sealed(_)) => "sealed",
            Ok(State::Gone) => "gone",
            Err(_) => "unknown",
        }
    }

    fn key(&self) -> &str {
        match &self.state {
            Ok(State::Open(upload)) => &upload.ticket.key,
            Ok(State::Sealed(receipt)) => &receipt.key,
            Ok(State::Gone) | Err(_) => &self.known.ticket.key,
        }
    }

    fn total_bytes(&self) -> Option<u64> {
        match &self.state {
            Ok(State::Open(upload)) => upload.total_bytes.or(self.remembered_bytes()),
            Ok(State::Sealed(receipt)) => Some(receipt.size_bytes),
            Ok(State::Gone) | Err(_) => self.remembered_bytes(),
        }
    }

    /// A bucket does not know how large the file will be.
    fn remembered_bytes(&self) -> Option<u64> {
        self.known.entry.as_ref()?.total_bytes
    }

    /// Landed, then all.
    fn parts(&self) -> (Option<u64>, Option<u64>) {
        match &self.state {
            Ok(State::Open(upload)) => {
                let all = self.total_bytes().map(|total| total.div_ceil(upload.part_bytes.max(1)));
                (Some(upload.landed.len() as u64), all)
            }
            Ok(State::Sealed(receipt)) => {
                (Some(u64::from(receipt.part_count)), Some(u64::from(receipt.part_count)))
            }
            Ok(State::Gone) | Err(_) => (None, None),
        }
    }

    fn landed_bytes(&self) -> Option<u64> {
        match &self.state {
            Ok(State::Open(upload)) => Some(landed_bytes(upload)),
            Ok(State::Sealed(receipt)) => Some(receipt.size_bytes),
            Ok(State::Gone) | Err(_) => None,
        }
    }

    fn to_row(&self) -> Vec<String> {
        let (landed, all) = self.parts();
        let count = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
        let size = |size: Option<u64>| size.map_or("?".to_owned(), bytes);
        vec![
            printable(&self.known.ticket.id),
            self.status().to_owned(),
            format!("{}/{}", count(landed), count(all)),
            size(self.landed_bytes()),
            size(self.total_bytes()),
            place(&self.known.place),
            printable(self.key()),
        ]
    }

    fn to_json(&self) -> Value {
        let (landed_parts, total_parts) = self.parts();
        let entry = self.known.entry.as_ref();
        let path = entry.and_then(|entry| entry.errand.path.as_ref());
        json!({
            "id": self.known.ticket.id,
            "status": self.status(),
            "key": self.key(),
            "landed_parts": landed_parts,
            "total_parts": total_parts,
            "landed_bytes": self.landed_bytes(),
            "total_bytes": self.total_bytes(),
            "place": place(&self.known.place),
            "file": path.map(|path| path.to_string_lossy()),
            "begun_at": entry.map(|entry| rfc3339(entry.begun_at)),
            "why": self.state.as_ref().err(),
        })
    }
}

fn landed_bytes(upload: &Upload) -> u64 {
    upload.landed.iter().map(|part| part.size_bytes).sum()
}

fn place(place: &Place) -> String {
    match place {
        Place::Server { server } => printable(server),
        Place::Bucket { bucket, .. } => format!("s3://{}", printable(bucket)),
    }
}
