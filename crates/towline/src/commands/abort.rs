//! `towline abort`: gives an unfinished upload up, there and in the journal.

use super::threaded;
use super::uploads::find;
use crate::client::Means;
use crate::exit::{Complaint, Exit};
use crate::output::printable;
use crate::{cli, output};

pub(super) fn run(asked: cli::Abort) -> Result<Exit, Complaint> {
    let means = Means::load(asked.way)?;
    let journal = means.journal().ok();
    let known = find((&asked.id, asked.to.as_deref()), &means, journal.as_ref())?;
    threaded(async {
        let link = means.connect(&known.place)?;
        link.remote.abort(&known.ticket).await.map_err(|trouble| link.complain(&trouble))
    })?;
    if let Some((journal, entry)) = journal.zip(known.entry)
        && let Err(broken) = journal.remove(&entry.errand)
    {
        output::say(&format!("warning: the journal still remembers it: {broken}\n"));
    }
    output::say(&format!(
        "Upload {} is given up; what had landed is not kept.\n",
        printable(&known.ticket.id)
    ));
    Ok(Exit::Done)
}
