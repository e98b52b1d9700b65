//! Sends files, some at the same time, and tells how each one ended.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use towline_client::event::{Event, FileNumber, Report, Watch as _};
use towline_client::fingerprint::fingerprint;
use towline_client::journal::Journal;
use towline_client::put::{Failure, Options, Patience, Put, Workers};
use towline_client::remote::Order;
use towline_client::source::{FileSource, Source, StreamSource};
use towline_client::trouble::Trouble;
use towline_core::digest::hex;

use super::Wishes;
use super::story::{self, Totals, Way};
use crate::client::{Item, Link, Place, guess, interrupted};
use crate::clock::SystemClock;
use crate::config::sha256;
use crate::exit::{Complaint, Exit};
use crate::progress::{Named, Progress, Style};

/// Small files have one part each, and are begun and made visible besides: so many are under way that the workers have
/// enough to do. More would only wait for each other, as parts share their turns over all files.
const FILES_MIN: usize = 8;
const FILES_MAX: usize = 32;

/// What is sent where.
#[derive(Debug)]
pub(in crate::commands) struct Sending {
    pub(in crate::commands) link: Link,
    pub(in crate::commands) items: Vec<Item>,
    pub(in crate::commands) journal: Option<Journal>,
    pub(in crate::commands) wishes: Wishes,
    pub(in crate::commands) style: Style,
}

/// One run over all files.
#[derive(Debug)]
struct Run {
    put: Put,
    watch: Arc<Progress>,
    items: Vec<Item>,
    wishes: Wishes,
    link: Link,
    journal: Option<Journal>,
}

pub(in crate::commands) async fn send(sending: Sending) -> Result<Exit, Complaint> {
    let Sending { link, items, journal, wishes, style } = sending;
    let named = items.iter().map(|item| Named {
        name: item.name(),
        key: item.key.clone(),
        total_bytes: item.size_bytes,
        at: link.remote.name(),
        url: link.place.download(&item.key),
        is_fetched: false,
    });
    let progress = Arc::new(Progress::new(style, named.collect())?);
    let usual = Patience::default();
    let options = Options {
        workers: wishes.workers.map_or(Workers::Adaptive, |count| Workers::Fixed(usize::from(count))),
        patience: Patience { tries: wishes.tries.unwrap_or(usual.tries), ..usual },
        stop_at: wishes.stop_at,
        journal: journal.clone(),
        place: serde_json::to_value(&link.place).context("the place cannot be written down")?,
        clock: Arc::new(SystemClock),
    };
    let put = Put::new(Arc::clone(&link.remote), Arc::<Progress>::clone(&progress), options);
    let run = Run { put, watch: Arc::clone(&progress), items, wishes, link, journal };
    let mut totals = Totals::default();
    let work = Box::pin(progress.accompany(all(&run, &mut totals)));
    let is_interrupted = tokio::select! {
        () = work => false,
        interrupted = interrupted() => {
            interrupted?;
            true
        }
    };
    story::end(&progress, &totals, run.items.len(), is_interrupted)
}

/// Files begin in their order, and end as they like. Dropped, all that is under way ends.
async fn all(run: &Run, totals: &mut Totals) {
    let one = |number| async move { (FileNumber(number), Box::pin(run.one(FileNumber(number))).await) };
    let mut ended = stream::iter((0..run.items.len()).map(one)).buffer_unordered(run.files_at_once());
    while let Some((number, ended)) = ended.next().await {
        totals.add(&ended);
        let way = Way { link: &run.link, journal: run.journal.as_ref() };
        story::tell(&run.watch, (number, &run.items), way, &ended);
    }
}

impl Run {
    fn files_at_once(&self) -> usize {
        self.wishes.workers.map_or(FILES_MIN, |count| usize::from(count).clamp(FILES_MIN, FILES_MAX))
    }

    async fn one(&self, number: FileNumber) -> Result<Report, Failure> {
        let item = &self.items[number.0];
        let (source, fingerprint) = match Box::pin(self.source(item)).await {
            Ok(found) => found,
            Err(trouble) => {
                self.watch.see(number, Event::Failed { why: &trouble.to_string() });
                return Err(trouble.into());
            }
        };
        let order = self.order(item, &source, fingerprint);
        match &self.wishes.ticket {
            Some(ticket) => Box::pin(self.put.resume(number, source, (order, ticket.clone()))).await,
            None => Box::pin(self.put.run(number, source, order)).await,
        }
    }

    /// What is sent, and by what an upload of it is found again.
    async fn source(&self, item: &Item) -> Result<(Source, String), Trouble> {
        // A bucket is not told fingerprints: there, uploads are found by their key.
        let is_known_by_fingerprint = matches!(self.link.place, Place::Server { .. });
        let Some(path) = &item.path else {
            // Nobody knows a stream before it has passed: an upload of it is found by its name, then compared.
            let named = is_known_by_fingerprint.then(|| format!("s1-{}", hex(&sha256(&item.key))));
            return Ok((Source::Stream(StreamSource::stdin()), named.unwrap_or_default()));
        };
        let file = open(path)?;
        let found =
            if is_known_by_fingerprint { fingerprint(&file, &item.key).await? } else { String::new() };
        Ok((Source::File(file), found))
    }

    fn order(&self, item: &Item, source: &Source, fingerprint: String) -> Order {
        let name = item.path.as_deref().and_then(Path::file_name);
        let filename = name.map_or_else(|| item.key.clone(), |name| name.to_string_lossy().into_owned());
        let guessed = || guess(&filename).or_else(|| guess(&item.key)).map(str::to_owned);
        Order {
            key: item.key.clone(),
            total_bytes: match source {
                Source::File(file) => Some(file.size_bytes()),
                Source::Stream(_) => None,
            },
            part_bytes: self.wishes.part_bytes,
            content_type: self.wishes.content_type.clone().or_else(guessed),
            metadata: self.wishes.metadata.clone(),
            fingerprint,
            filename,
        }
    }
}

/// By its absolute path: the same file is found again from another folder.
fn open(path: &Path) -> Result<FileSource, Trouble> {
    let path = std::path::absolute(path).map_err(|error| Trouble::source(error.to_string()))?;
    FileSource::open(&path)
}
