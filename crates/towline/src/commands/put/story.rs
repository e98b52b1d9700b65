//! What is told when a file is up, or is not, and when all is over.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use towline_client::event::{FileNumber, Report};
use towline_client::journal::Journal;
use towline_client::put::Failure;
use towline_client::remote::{Receipt, Ticket};
use towline_core::receipt::Voucher;

use crate::client::{Item, Link, Place, hex64, rate, retries, seconds};
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

/// Where files go, and what remembers that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) link: &'a Link,
    pub(super) journal: Option<&'a Journal>,
}

/// How one of the files ended.
pub(super) fn tell(
    progress: &Progress,
    (number, items): (FileNumber, &[Item]),
    way: Way<'_>,
    ended: &Result<Report, Failure>,
) {
    let (item, is_alone) = (&items[number.0], items.len() == 1);
    let report = match ended {
        Ok(report) => report,
        Err(failure) => {
            let text = explain(failure, item, way).to_text();
            let name = if is_alone { String::new() } else { format!("{}: ", item.name()) };
            progress.complain(&text.replacen("error: ", &format!("error: {name}"), 1));
            return;
        }
    };
    let text = if is_alone {
        outcome(&item.name(), report, (&progress.tally(number), &way.link.place))
    } else {
        line(&item.name(), report, &way.link.place)
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
    printable(&place.download(&receipt.key).unwrap_or_else(|| receipt.location.clone()))
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
    text.push_str(if file_count == 1 {
        "hint: run the same command again: what has landed is not sent again\n"
    } else {
        "hint: run the same command again: unfinished files go on where they were, finished ones are sent anew\n"
    });
    text
}

/// Why a file is not up, and what to do now.
fn explain(failure: &Failure, item: &Item, way: Way<'_>) -> Complaint {
    let complaint = |text: String| Complaint::from(anyhow::Error::msg(text));
    match failure {
        Failure::Trouble(trouble) => way.link.complain(trouble),
        Failure::Busy { .. } => complaint(failure.to_string()).hint("wait for it, or end it first"),
        Failure::Stopped { ticket, sent_bytes, total_bytes } => {
            let (sent, total) = (bytes(*sent_bytes), bytes(*total_bytes));
            let percent = u128::from(*sent_bytes) * 100 / u128::from((*total_bytes).max(1));
            complaint(format!("broken off on purpose: {sent} of {total} ({percent}%) are there")).hint(
                format!("go on with: towline {}", going_on(ticket, item, (&way.link.place, way.journal))),
            )
        }
    }
}

/// The rest of the line that goes on with an upload. What the journal knows need not be said.
fn going_on(ticket: &Ticket, item: &Item, (place, journal): (&Place, Option<&Journal>)) -> String {
    let id = quoted(&printable(&ticket.id));
    let known = journal.and_then(|journal| journal.by_id(&ticket.id).ok()).unwrap_or_default();
    if known.len() == 1 {
        return format!("resume {id}");
    }
    let name = quoted(&item.name());
    format!("put --resume {id} {name} {}", shown(place, &item.key))
}

fn shown(place: &Place, key: &str) -> String {
    match place {
        Place::Server { server } => {
            format!("--key {} {}", quoted(&printable(key)), quoted(&printable(server)))
        }
        Place::Bucket { bucket, endpoint, region } => {
            let flag = |name: &str, value: &Option<String>| {
                value
                    .as_ref()
                    .map_or_else(String::new, |value| format!("{name} {} ", quoted(&printable(value))))
            };
            let (endpoint, region) = (flag("--endpoint", endpoint), flag("--region", region));
            format!("{endpoint}{region}{}", quoted(&format!("s3://{bucket}/{}", printable(key))))
        }
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
    fn without_a_journal_the_line_to_go_on_with_says_all() {
        let item = Item { path: Some("my video.mp4".into()), key: "a b.mp4".into(), size_bytes: Some(1) };
        let ticket = Ticket::new("1f", "a b.mp4");
        let said = |place: &Place| going_on(&ticket, &item, (place, None));
        let server = Place::Server { server: "http://up:8000".into() };
        assert_eq!(said(&server), "put --resume 1f 'my video.mp4' --key 'a b.mp4' http://up:8000");
        let (endpoint, region) = (Some("http://minio:9000".to_owned()), Some("garage".to_owned()));
        let bucket = Place::Bucket { bucket: "b".into(), endpoint, region };
        assert_eq!(
            said(&bucket),
            "put --resume 1f 'my video.mp4' --endpoint http://minio:9000 --region garage 's3://b/a b.mp4'"
        );
    }

    #[test]
    fn names_are_words_of_a_shell() {
        for (text, word) in
            [("a/b-1.mp4", "a/b-1.mp4"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(text), word);
        }
    }
}
