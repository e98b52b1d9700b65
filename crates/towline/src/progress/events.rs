//! What happens, for scripts: one JSON object a line. The names are promised in `docs/put.md`.

use serde_json::{Value, json};
use towline_client::event::Event;
use towline_core::receipt::Voucher;

use super::Named;
use super::tally::Tally;
use crate::client::hex64;

/// An event that is told at once.
pub(super) fn told(file: &Named, tally: &Tally, event: &Event<'_>) -> Option<Value> {
    let mut told = match event {
        Event::Began { ticket, part_bytes, is_resumed, .. } => json!({
            "event": "began",
            "id": ticket.map(|ticket| &ticket.id),
            "total_bytes": tally.total_bytes,
            "part_bytes": part_bytes,
            "is_resumed": is_resumed,
        }),
        Event::Kept { bytes, parts } => json!({"event": "kept", "bytes": bytes, "parts": parts}),
        Event::Landed { number, size_bytes } => {
            json!({"event": "landed", "part": number, "size_bytes": size_bytes})
        }
        Event::Retrying { number, tries, wait, why } => json!({
            "event": "retry",
            "part": number,
            "tries": tries,
            "wait_ms": u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "why": why,
        }),
        Event::Note { what } => json!({"event": "note", "what": what}),
        Event::Finishing => json!({"event": "finishing"}),
        Event::Done(report) => json!({
            "event": "done",
            "size_bytes": report.receipt.size_bytes,
            "part_count": report.receipt.part_count,
            "seconds": report.took.as_secs_f64(),
            "sent_bytes": report.sent_bytes,
            "kept_bytes": report.kept_bytes,
            "kept_parts": tally.kept_parts,
            "retries": report.retries,
            "crc64nvme": hex64(report.crc64),
            "vouched_by": voucher(report.receipt.voucher),
            // A server's own word for it may be a path on its disk.
            "location": file.url.as_ref().unwrap_or(&report.receipt.location),
        }),
        Event::Fetched(fetched) => json!({
            "event": "done",
            "path": fetched.path.as_ref().map(|path| path.to_string_lossy()),
            "size_bytes": fetched.size_bytes,
            "seconds": fetched.took.as_secs_f64(),
            "received_bytes": fetched.received_bytes,
            "kept_bytes": fetched.kept_bytes,
            "retries": fetched.retries,
            "crc64nvme": hex64(fetched.crc64),
            "checked_by": fetched.checked.as_ref().map(|digest| digest.algorithm().name()),
        }),
        Event::Failed { why } => {
            json!({"event": "failed", "id": tally.ticket.as_ref().map(|ticket| &ticket.id), "why": why})
        }
        Event::Compared { .. } | Event::Sent { .. } | Event::Lost { .. } | Event::Workers { .. } => {
            return None;
        }
    };
    name(&mut told, file);
    Some(told)
}

/// What a script cannot do without, even one that was not reading for a long while.
pub(super) fn must_arrive(event: &Event<'_>) -> bool {
    match event {
        Event::Began { .. } | Event::Done(_) | Event::Fetched(_) | Event::Failed { .. } => true,
        Event::Compared { .. }
        | Event::Kept { .. }
        | Event::Sent { .. }
        | Event::Lost { .. }
        | Event::Landed { .. }
        | Event::Retrying { .. }
        | Event::Workers { .. }
        | Event::Finishing
        | Event::Note { .. } => false,
    }
}

/// How far each file is that is under way.
pub(super) fn progress(files: &[Named], tallies: &[Tally]) -> Vec<Value> {
    let under_way = files.iter().zip(tallies).filter(|(_, tally)| tally.is_under_way());
    let told = under_way.map(|(file, tally)| {
        let mut told = json!({
            "event": "progress",
            "there_bytes": tally.there_bytes(),
            "total_bytes": tally.total_bytes,
            "kept_bytes": tally.kept_bytes,
            "there_parts": tally.there_parts(),
            "total_parts": tally.total_parts(),
            "bytes_per_s": tally.bytes_per_s(),
            "left_s": tally.left().map(|left| left.as_secs()),
            "retries": tally.retries,
            "workers": tally.workers,
        });
        name(&mut told, file);
        told
    });
    told.collect()
}

/// As the session door calls them, too.
pub(super) fn voucher(voucher: Voucher) -> &'static str {
    match voucher {
        Voucher::Towline => "towline",
        Voucher::Store => "store",
    }
}

fn name(told: &mut Value, file: &Named) {
    told["file"] = file.name.as_str().into();
    told["key"] = file.key.as_str().into();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use towline_client::remote::Ticket;

    use super::*;

    fn all(events: &[Event<'_>]) -> Vec<String> {
        let file = Named { name: "a.mp4".into(), key: "k".into(), total_bytes: Some(10), ..Named::default() };
        let mut tally = Tally::new(Some(10));
        let mut lines = Vec::new();
        for event in events {
            tally.take(event);
            lines.extend(told(&file, &tally, event).map(|told| told.to_string()));
        }
        lines.extend(progress(&[file], &[tally]).iter().map(Value::to_string));
        lines
    }

    #[test]
    fn the_names_that_scripts_rely_on() {
        let ticket = Ticket::new("1f", "k");
        let lines = all(&[
            Event::Began { ticket: Some(&ticket), total_bytes: Some(10), part_bytes: 5, is_resumed: true },
            Event::Kept { bytes: 5, parts: 1 },
            Event::Sent { bytes: 5 },
            Event::Retrying { number: 2, tries: 1, wait: Duration::from_millis(1500), why: "cut" },
            Event::Landed { number: 2, size_bytes: 5 },
        ]);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"began","file":"a.mp4","id":"1f","is_resumed":true,"key":"k","part_bytes":5,"total_bytes":10}
        {"bytes":5,"event":"kept","file":"a.mp4","key":"k","parts":1}
        {"event":"retry","file":"a.mp4","key":"k","part":2,"tries":1,"wait_ms":1500,"why":"cut"}
        {"event":"landed","file":"a.mp4","key":"k","part":2,"size_bytes":5}
        {"bytes_per_s":null,"event":"progress","file":"a.mp4","kept_bytes":5,"key":"k","left_s":null,"retries":1,"there_bytes":10,"there_parts":2,"total_bytes":10,"total_parts":2,"workers":0}
        "#);
    }
}
