//! `towline status`: how far uploads are, asked where they are.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use towline_client::journal::Journal;
use towline_client::remote::{State, Upload};
use towline_doors::rfc3339;

use super::threaded;
use super::uploads::{Known, find, place_of};
use crate::cli;
use crate::client::{Means, Place};
use crate::exit::{Complaint, Exit};
use crate::output::{self, bytes, printable, table};

/// More would only crowd a server.
const ASKED_AT_ONCE: usize = 8;

/// What an upload's place says of it.
#[derive(Debug)]
struct Answer {
    known: Known,
    state: Result<State, String>,
}

pub(super) fn run(asked: cli::Status) -> Result<Exit, Complaint> {
    let means = Arc::new(Means::load(asked.way)?);
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
    let answers = threaded(async { Ok(ask(&means, known).await) })?;
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
            output::say(&format!("warning: {}: {why}\n", printable(&answer.known.ticket.id)));
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

/// In their order.
async fn ask(means: &Arc<Means>, known: Vec<Known>) -> Vec<Answer> {
    let mut waiting = known.into_iter().enumerate();
    let (mut asked, mut answers) = (JoinSet::new(), Vec::new());
    loop {
        while asked.len() < ASKED_AT_ONCE
            && let Some((number, known)) = waiting.next()
        {
            let means = Arc::clone(means);
            asked.spawn(async move { (number, Box::pin(look(&means, known)).await) });
        }
        match asked.join_next().await {
            Some(Ok(answer)) => answers.push(answer),
            Some(Err(_)) => {}
            None => break,
        }
    }
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn look(means: &Means, known: Known) -> Answer {
    let state = match means.connect(&known.place) {
        Ok(link) => link.remote.look(&known.ticket).await.map_err(|trouble| printable(&trouble.to_string())),
        Err(complaint) => Err(complaint.to_text().trim_end().trim_start_matches("error: ").to_owned()),
    };
    Answer { known, state }
}

impl Answer {
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
