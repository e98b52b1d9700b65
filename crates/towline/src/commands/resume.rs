//! `towline resume`: goes on with an upload by its id.

use towline_client::remote::{State, Ticket};

use super::put::{Sending, Wishes, journal, send};
use super::threaded;
use super::uploads::{Known, find, gone};
use crate::cli;
use crate::client::{Item, Link, Means};
use crate::exit::{Complaint, Exit};
use crate::progress::Style;

pub(super) fn run(asked: cli::Resume) -> Result<Exit, Complaint> {
    let means = Means::load(asked.way)?;
    let journal = journal(&means);
    let known = find((&asked.id, asked.to.as_deref()), &means, journal.as_ref())?;
    let remembered = known.entry.as_ref().and_then(|entry| entry.errand.path.clone());
    let path = asked.file.or(remembered).ok_or_else(|| {
        Complaint::usage("nobody remembers the file of this upload").hint("say which with --file FILE")
    })?;
    let style = Style::new(asked.voice.json, asked.voice.quiet, means.terminal());
    let workers = asked.workers;
    threaded(async {
        let (link, ticket) = Box::pin(look(&means, known)).await?;
        let size_bytes = path.metadata().ok().map(|metadata| metadata.len());
        let items = vec![Item { path: Some(path), key: ticket.key.clone(), size_bytes }];
        let wishes = Wishes { workers, ticket: Some(ticket), ..Wishes::default() };
        Box::pin(send(Sending { link, items, journal, wishes, style })).await
    })
}

/// The other end, and the upload as it calls it.
pub(super) async fn look(means: &Means, known: Known) -> Result<(Link, Ticket), Complaint> {
    let link = means.connect(&known.place)?;
    let state = link.remote.look(&known.ticket).await.map_err(|trouble| link.complain(&trouble))?;
    let key = match state {
        State::Open(upload) => upload.ticket.key,
        State::Sealed(receipt) => receipt.key,
        State::Gone => return Err(gone(&known.ticket.id, &link.remote.name())),
    };
    Ok((link, Ticket { key, ..known.ticket }))
}
