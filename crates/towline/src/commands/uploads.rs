//! Leads from what a person calls an upload to the upload: by the journal, or by a place that is named.

use anyhow::anyhow;
use towline_client::journal::{Entry, Journal};
use towline_client::remote::Ticket;

use crate::client::{Means, Place};
use crate::exit::Complaint;
use crate::output::printable;

/// An upload, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) ticket: Ticket,
    pub(super) place: Place,
    /// What the journal remembers of it.
    pub(super) entry: Option<Entry>,
}

/// Finds the upload of an id. A place that is named wins over the one that is remembered.
pub(super) fn find(
    (id, to): (&str, Option<&str>),
    means: &Means,
    journal: Option<&Journal>,
) -> Result<Known, Complaint> {
    let shown = printable(id);
    let named = to.map(|to| means.spot(Some(to))).transpose()?;
    let mut entries = match journal.map(|journal| journal.by_id(id)) {
        Some(Ok(entries)) => entries,
        Some(Err(_)) | None => Vec::new(),
    };
    if entries.len() > 1 {
        let complaint = Complaint::usage(format!("several uploads begin with {shown}"));
        return Err(complaint.hint("`towline status --all` shows them; say more of the id"));
    }
    if let Some(entry) = entries.pop() {
        let place = match named {
            Some(spot) => spot.place,
            None => place_of(&entry)?,
        };
        return Ok(Known { ticket: entry.ticket.clone(), place, entry: Some(entry) });
    }
    let spot = match named {
        Some(spot) => spot,
        None if means.server.is_some() => means.spot(None)?,
        None => {
            let complaint = Complaint::from(anyhow!("no upload {shown} was begun from this machine"));
            return Err(complaint.hint("say where it is: --server URL, or --to s3://BUCKET/KEY"));
        }
    };
    if matches!(spot.place, Place::Bucket { .. }) && (spot.key.is_empty() || spot.key.ends_with('/')) {
        return Err(Complaint::usage("S3 finds an upload only by its key, too")
            .hint("write --to s3://BUCKET/KEY; `towline ls s3://BUCKET` shows keys and ids"));
    }
    Ok(Known { ticket: Ticket::new(id, spot.key), place: spot.place, entry: None })
}

pub(super) fn place_of(entry: &Entry) -> Result<Place, Complaint> {
    let place = serde_json::from_value(entry.place.clone());
    place.map_err(|_| {
        anyhow!("the journal does not say where upload {} is", printable(&entry.ticket.id)).into()
    })
}

/// The other end knows nothing of it.
pub(super) fn gone(id: &str, at: &str) -> Complaint {
    let complaint = anyhow!("there is no upload {} at {}", printable(id), printable(at));
    Complaint::from(complaint)
        .hint("it was finished, given up or has expired; `towline ls` shows what is there")
}
