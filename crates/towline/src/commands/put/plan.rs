//! `towline put --dry-run`: what would go where, without a request.

use std::fmt::Write as _;

use serde_json::json;
use towline_client::journal::{Entry, Errand};

use super::Sending;
use crate::client::Item;
use crate::exit::{Complaint, Exit};
use crate::output::{self, bytes, printable, table};

pub(super) fn show(sending: &Sending, is_json: bool) -> Result<Exit, Complaint> {
    let mut rows = vec![["FILE", "SIZE", "PARTS", "UPLOAD", "KEY"].map(str::to_owned).to_vec()];
    let mut lines = String::new();
    for item in &sending.items {
        let known = known(sending, item);
        let part_bytes =
            known.as_ref().and_then(|entry| entry.ticket.part_bytes).or(sending.wishes.part_bytes);
        let parts = item.size_bytes.zip(part_bytes).map(|(size, part)| size.div_ceil(part.max(1)).max(1));
        let id = known.as_ref().map(|entry| entry.ticket.id.as_str());
        let line = json!({
            "file": item.name(),
            "key": item.key,
            "size_bytes": item.size_bytes,
            "parts": parts,
            "resumes": id,
        });
        writeln!(lines, "{line}").expect("a String takes every write");
        rows.push(vec![
            item.name(),
            item.size_bytes.map_or("?".to_owned(), bytes),
            parts.map_or("?".to_owned(), |parts| parts.to_string()),
            id.map_or("new".to_owned(), |id| format!("goes on with {}", printable(id))),
            printable(&item.key),
        ]);
    }
    if is_json {
        output::data(&lines)?;
        return Ok(Exit::Done);
    }
    output::data(&table(&rows))?;
    let total: Option<u64> = sending.items.iter().map(|item| item.size_bytes).sum();
    let total = total.map_or_else(String::new, |total| format!(", {}", bytes(total)));
    let files = match sending.items.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let name = printable(&sending.link.remote.name());
    output::say(&format!("{files}{total} would go to {name}; nothing was sent.\n"));
    Ok(Exit::Done)
}

/// What an earlier run began, as the journal says.
fn known(sending: &Sending, item: &Item) -> Option<Entry> {
    let path = item.path.as_deref().and_then(|path| std::path::absolute(path).ok());
    let errand = Errand { remote: sending.link.remote.name(), key: item.key.clone(), path };
    sending.journal.as_ref()?.find(&errand)
}
