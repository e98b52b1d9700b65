//! What is told when a file is up, or is not, and when all is over.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use towline_client::event::{FileNumber, Report};
use towline_client::put::Failure;
use towline_client::remote::Receipt;
use towline_core::receipt::Voucher;

use crate::client::{Item, Link, Place, complain, hex64, in_path, rate, retries, seconds};
use crate::exit::{Complaint, Exit};
use crate::output::{bytes, printable};
use crate::progress::{Progress, Tally};

/// All files together.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) done: usize,
    pub(super) failed: usize,
    size_bytes: u64,
    sent_bytes: u64,
    kept_bytes: u64,
    retries: u64,
}

impl Totals {
    pub(super) fn add(&mut self, ended: &Result<Report, Failure>) {
        let Ok(report) = ended else {
            self.failed += 1;
            return;
        };
        self.done += 1;
        self.size_bytes += report.receipt.size_bytes;
        self.sent_bytes += report.sent_bytes;
        self.kept_bytes += report.kept_bytes;
        self.retries += report.retries;
    }
}

/// How one of the files ended.
pub(super) fn tell(
    progress: &Progress,
    (number, items): (FileNumber, &[Item]),
    link: &Link,
    ended: &Result<Report, Failure>,
) {
    let (item, is_alone) = (&items[number.0], items.len() == 1);
    let report = match ended {
        Ok(report) => report,
        Err(failure) => {
            let text = explain(failure, item, &link.place).to_text();
            let name = if is_alone { String::new() } else { format!("{}: ", item.name()) };
            progress.complain(&text.replacen("error: ", &format!("error: {name}"), 1));
            return;
        }
    };
    let text = if is_alone {
        outcome(&item.name(), report, (&progress.tally(number), &link.place))
    } else {
        line(&item.name(), report, &link.place)
    };
    if let Err(error) = progress.print(&text) {
        progress.complain(&format!("warning: {error:#}\n"));
    }
}

/// A file that is up, as a person reads it.
fn outcome(name: &str, report: &Report, (tally, place): (&Tally, &Place)) -> String {
    let Report { receipt, took, sent_bytes, kept_bytes, .. } = report;
    let mut parts = counted(u64::from(receipt.part_count), "part");
    if *kept_bytes > 0 {
        let kept = bytes(*kept_bytes);
        write!(parts, ", {} of them ({kept}) there from before", tally.kept_parts)
            .expect("a String takes every write");
    }
    format!(
        "{name} -> {}\n  {} in {}, {}; {parts}; {}\n  CRC-64/NVME {}, {}\n  {}\n",
        printable(&receipt.key),
        bytes(receipt.size_bytes),
        seconds(*took),
        rate(*sent_bytes, *took),
        retries(report.retries),
        hex64(report.crc64),
        vouched(receipt),
        url(place, receipt),
    )
}

/// The same for one of many.
fn line(name: &str, report: &Report, place: &Place) -> String {
    let Report { receipt, took, sent_bytes, .. } = report;
    format!(
        "{name} -> {}  {} in {}, {}; {}; CRC-64/NVME {}, {}; {}\n",
        printable(&receipt.key),
        bytes(receipt.size_bytes),
        seconds(*took),
        rate(*sent_bytes, *took),
        retries(report.retries),
        hex64(report.crc64),
        vouched(receipt),
        url(place, receipt),
    )
}

/// Where the file can be had: a server's own word for it may be a path on its disk.
fn url(place: &Place, receipt: &Receipt) -> String {
    match place {
        Place::Server { server } => format!("{}/download/{}", printable(server), in_path(&receipt.key)),
        Place::Bucket { .. } => printable(&receipt.location),
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn vouched(receipt: &Receipt) -> &'static str {
    match (receipt.voucher, receipt.crc64) {
        (Voucher::Towline, Some(_)) => "the server vouches for it",
        (Voucher::Store, Some(_)) => "the store vouches for it",
        // Each part was compared on its way; of the whole the other end has no digest.
        (Voucher::Towline | Voucher::Store, None) => "compared part by part",
    }
}

/// The end of the run, and how the program ends.
pub(super) fn end(
    progress: &Progress,
    totals: &Totals,
    file_count: usize,
    is_interrupted: bool,
) -> Result<Exit, Complaint> {
    let took = progress.took();
    progress.tell(&json!({
        "event": "end",
        "files": file_count,
        "done": totals.done,
        "failed": totals.failed,
        "is_interrupted": is_interrupted,
        "size_bytes": totals.size_bytes,
        "sent_bytes": totals.sent_bytes,
        "kept_bytes": totals.kept_bytes,
        "retries": totals.retries,
        "seconds": took.as_secs_f64(),
    }));
    progress.end();
    if is_interrupted {
        progress.complain(&interruption(progress, totals, file_count));
        return Ok(Exit::Interrupted);
    }
    if file_count > 1 {
        progress.print(&sum(totals, file_count, took))?;
    }
    Ok(if totals.failed == 0 { Exit::Done } else { Exit::Failed })
}

fn sum(totals: &Totals, file_count: usize, took: Duration) -> String {
    let Totals { done, failed, size_bytes, sent_bytes, kept_bytes, retries: count } = totals;
    let files = if *failed == 0 { file_count.to_string() } else { format!("{done} of {file_count}") };
    let mut facts = vec![format!(
        "{files} files, {} in {}, {}",
        bytes(*size_bytes),
        seconds(took),
        rate(*sent_bytes, took)
    )];
    if *kept_bytes > 0 {
        facts.push(format!("{} of it there from before", bytes(*kept_bytes)));
    }
    facts.push(retries(*count));
    if *failed > 0 {
        facts.push(format!("{failed} failed"));
    }
    format!("{}\n", facts.join("; "))
}

fn interruption(progress: &Progress, totals: &Totals, file_count: usize) -> String {
    let mut text = if file_count == 1 {
        "interrupted\n".to_owned()
    } else {
        format!("interrupted: {} of {file_count} files are up\n", totals.done)
    };
    for (name, id) in progress.unfinished() {
        writeln!(text, "  {name} is on its way as upload {}", printable(&id))
            .expect("a String takes every write");
    }
    text.push_str("hint: run the same command again: what has landed is not sent again\n");
    text
}

/// Why a file is not up, and what to do now.
fn explain(failure: &Failure, item: &Item, place: &Place) -> Complaint {
    let complaint = |text: String| Complaint::from(anyhow::Error::msg(text));
    match failure {
        Failure::Trouble(trouble) => complain(trouble),
        Failure::Busy { .. } => complaint(failure.to_string()).hint("wait for it, or end it first"),
        Failure::Stopped { ticket, sent_bytes, total_bytes } => {
            let (sent, total) = (bytes(*sent_bytes), bytes(*total_bytes));
            let percent = u128::from(*sent_bytes) * 100 / u128::from((*total_bytes).max(1));
            let (id, name, place) = (printable(&ticket.id), quoted(&item.name()), shown(place, &item.key));
            complaint(format!("broken off on purpose: {sent} of {total} ({percent}%) are there"))
                .hint(format!("go on with: towline put --resume {id} {name} {place}"))
        }
    }
}

fn shown(place: &Place, key: &str) -> String {
    match place {
        Place::Server { server } => format!("--key {} {}", quoted(&printable(key)), printable(server)),
        Place::Bucket { bucket, .. } => quoted(&format!("s3://{bucket}/{}", printable(key))),
    }
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "-_./:=@%+".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_a_shell() {
        for (text, word) in
            [("a/b-1.mp4", "a/b-1.mp4"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(text), word);
        }
    }
}
