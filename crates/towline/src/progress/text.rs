//! How far files are, in words: under the bars, and line by line where there are none.

use towline_client::event::Event;

use super::Named;
use super::rate::Rate;
use super::tally::{Stage, Tally};
use crate::client::seconds;
use crate::output::{bytes, printable};

/// How far one file is.
pub(super) fn describe(file: &Named, tally: &Tally, is_alone: bool) -> String {
    match tally.stage {
        Stage::Waiting => waiting(file, tally),
        Stage::Comparing => format!("{} compared with what is there", bytes(tally.compared_bytes)),
        Stage::Finishing => format!("{} there, being made visible", bytes(tally.there_bytes())),
        Stage::Done => "done".to_owned(),
        Stage::Failed => "failed".to_owned(),
        Stage::Moving => moving(tally, is_alone),
    }
}

/// Nothing is known of it yet.
fn waiting(file: &Named, tally: &Tally) -> String {
    let at = printable(&file.at);
    let is_stream = file.total_bytes.is_none() && !file.is_fetched;
    let what = if is_stream { "its input, or for an answer" } else { "an answer" };
    let why = tally.trouble.as_ref().map_or_else(String::new, |why| format!(", {}", printable(why)));
    format!("waits for {what} of {at}{why}")
}

fn moving(tally: &Tally, is_alone: bool) -> String {
    let mut facts = vec![amount(tally.there_bytes(), tally.total_bytes, tally.is_whole())];
    let rate = tally.bytes_per_s().filter(|_| tally.sent_bytes() > 0);
    facts.extend(rate.map(|rate| format!("{}/s", bytes(rate))));
    facts.extend(tally.left().map(|left| format!("{} left", seconds(left))));
    if let Some(parts) = tally.total_parts().filter(|parts| *parts > 1) {
        facts.push(format!("{}/{parts} parts", tally.there_parts()));
    }
    facts.extend(count(u64::from(tally.retries), "retry", "retries"));
    if is_alone {
        facts.extend(workers(tally));
    }
    if let Some(why) = &tally.trouble {
        facts.push(printable(why));
    }
    facts.join(", ")
}

/// All files together, when there are several.
pub(super) fn total(named: &[Named], tallies: &[Tally], rate: &Rate) -> String {
    let done = tallies.iter().filter(|tally| tally.stage == Stage::Done).count();
    let failed = tallies.iter().filter(|tally| tally.stage == Stage::Failed).count() as u64;
    let (there, total) = (there_bytes(tallies), total_bytes(tallies));
    let is_whole = tallies.iter().all(Tally::is_whole);
    let mut facts = vec![format!("{done}/{} files", tallies.len()), amount(there, total, is_whole)];
    facts.extend(rate.bytes_per_s().map(|rate| format!("{}/s", bytes(rate))));
    let rest = total.map(|total| total.saturating_sub(there)).filter(|rest| *rest > 0);
    let left = rest.and_then(|rest| rate.left(rest));
    facts.extend(left.map(|left| format!("{} left", seconds(left))));
    let retries = tallies.iter().map(|tally| u64::from(tally.retries)).sum();
    facts.extend(count(retries, "retry", "retries"));
    facts.extend(count(failed, "failed", "failed"));
    let under_way = tallies.iter().find(|tally| tally.is_under_way());
    facts.extend(under_way.and_then(workers));
    let mut waits = named.iter().zip(tallies).filter(|(_, tally)| tally.stage == Stage::Waiting);
    if under_way.is_none()
        && let Some((file, tally)) = waits.next()
    {
        facts.push(waiting(file, tally));
    }
    facts.join(", ")
}

/// One line that says it all, for logs.
pub(super) fn line(named: &[Named], tallies: &[Tally], rate: &Rate) -> String {
    match (named, tallies) {
        ([file], [tally]) => format!("{}: {}", file.shown(), describe(file, tally, true)),
        _ => total(named, tallies, rate),
    }
}

/// What is said at once: remarks always, failures of parts only where no bar shows them. How a file ended is data.
pub(super) fn remark(file: &Named, event: &Event<'_>, is_in_lines: bool) -> Option<String> {
    let name = file.shown();
    match event {
        Event::Note { what } => Some(format!("{name}: {}\n", printable(what))),
        Event::Retrying { number, wait, why, .. } if is_in_lines => {
            let (why, wait) = (printable(why), seconds(*wait));
            let what = if file.is_fetched { "fetched" } else { "sent" };
            Some(format!("{name}: part {number} is {what} again in {wait}: {why}\n"))
        }
        Event::Retrying { .. }
        | Event::Done(_)
        | Event::Fetched(_)
        | Event::Began { .. }
        | Event::Compared { .. }
        | Event::Kept { .. }
        | Event::Sent { .. }
        | Event::Lost { .. }
        | Event::Landed { .. }
        | Event::Workers { .. }
        | Event::Finishing
        | Event::Failed { .. } => None,
    }
}

pub(super) fn there_bytes(tallies: &[Tally]) -> u64 {
    tallies.iter().map(Tally::there_bytes).sum()
}

/// Nothing while the size of one is not known.
pub(super) fn total_bytes(tallies: &[Tally]) -> Option<u64> {
    tallies.iter().map(|tally| tally.total_bytes).sum()
}

fn amount(there: u64, total: Option<u64>, is_whole: bool) -> String {
    match total {
        // Rounded down, and what the line holds may still be lost: 100 % is said when all is there.
        Some(total) if total > 0 => {
            let percent = u128::from(there) * 100 / u128::from(total);
            let percent = if is_whole { percent } else { percent.min(99) };
            format!("{percent}% of {}", bytes(total))
        }
        Some(_) | None => bytes(there),
    }
}

fn workers(tally: &Tally) -> Option<String> {
    count(tally.workers as u64, "worker", "workers")
}

fn count(number: u64, one: &str, many: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{number} {many}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::new(Some(10 << 20));
        let began = Event::Began {
            ticket: None,
            total_bytes: Some(10 << 20),
            part_bytes: 1 << 20,
            is_resumed: false,
        };
        tally.take(&began);
        tally.sample(Duration::ZERO);
        for event in [
            Event::Kept { bytes: 2 << 20, parts: 2 },
            Event::Workers { count: 4 },
            Event::Sent { bytes: 4 << 20 },
            Event::Landed { number: 3, size_bytes: 1 << 20 },
        ] {
            tally.take(&event);
        }
        tally.sample(Duration::from_secs(2));
        tally
    }

    fn named() -> Named {
        let at = "http://up:8000".into();
        Named {
            name: "a\u{1b}.mp4".into(),
            key: "a".into(),
            total_bytes: Some(10 << 20),
            at,
            ..Named::default()
        }
    }

    #[test]
    fn a_file_on_its_way_is_one_line() {
        let mut tally = tally();
        let line = |tally: &Tally| line(&[named()], std::slice::from_ref(tally), &Rate::default());
        let before = "a\\u{1b}.mp4: 60% of 10.0 MiB, 2.0 MiB/s, 2 s left, 3/10 parts";
        assert_eq!(line(&tally), format!("{before}, 4 workers"));
        let why = "the line broke";
        tally.take(&Event::Retrying { number: 4, tries: 1, wait: Duration::from_secs(1), why });
        assert_eq!(line(&tally), format!("{before}, 1 retry, 4 workers, the line broke"));
        tally.take(&Event::Finishing);
        assert_eq!(line(&tally), "a\\u{1b}.mp4: 6.0 MiB there, being made visible");
    }

    #[test]
    fn several_files_are_one_line_together() {
        let mut done = Tally::new(Some(1 << 20));
        done.take(&Event::Sent { bytes: 1 << 20 });
        done.stage = Stage::Done;
        let mut failed = Tally::new(Some(1 << 20));
        failed.take(&Event::Failed { why: "no" });
        let tallies = [tally(), done, failed, Tally::new(Some(0))];
        let text = line(&[], &tallies, &Rate::default());
        assert_eq!(text, "1/4 files, 58% of 12.0 MiB, 1 failed, 4 workers");
    }

    #[test]
    fn nobody_knows_how_much_a_stream_still_has() {
        let mut tally = Tally::new(None);
        tally.take(&Event::Sent { bytes: 3 << 20 });
        assert_eq!(describe(&named(), &tally, true), "3.0 MiB");
    }

    #[test]
    fn all_is_there_when_the_last_part_has_landed() {
        let mut tally = tally();
        tally.take(&Event::Sent { bytes: 4 << 20 });
        let text = describe(&named(), &tally, false);
        assert!(text.starts_with("99% of 10.0 MiB, ") && text.contains(", 3/10 parts"), "{text}");
        for number in 4..=10 {
            tally.take(&Event::Landed { number, size_bytes: 1 << 20 });
        }
        let text = describe(&named(), &tally, false);
        assert!(text.starts_with("100% of 10.0 MiB, "), "{text}");
    }

    #[test]
    fn who_does_not_answer_is_named() {
        let waiting = Tally::new(Some(1));
        let text = "waits for an answer of http://up:8000";
        assert_eq!(describe(&named(), &waiting, true), text);
        let two = line(&[named(), named()], &[waiting.clone(), waiting], &Rate::default());
        assert_eq!(two, format!("0/2 files, 0% of 2 B, {text}"));
        let stream = Named { total_bytes: None, ..named() };
        let text = "waits for its input, or for an answer of http://up:8000";
        assert_eq!(describe(&stream, &Tally::new(None), true), text);
    }

    #[test]
    fn a_download_is_not_sent_again() {
        let retrying = Event::Retrying { number: 1, tries: 1, wait: Duration::ZERO, why: "cut" };
        let said = |is_fetched| remark(&Named { is_fetched, ..named() }, &retrying, true).unwrap();
        assert_eq!(said(true), "a\\u{1b}.mp4: part 1 is fetched again in 0 s: cut\n");
        assert_eq!(said(false), "a\\u{1b}.mp4: part 1 is sent again in 0 s: cut\n");
    }
}
