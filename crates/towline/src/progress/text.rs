//! How far files are, in words: under the bars, and line by line where there are none.

use towline_client::event::Event;

use super::Named;
use super::rate::Rate;
use super::tally::{Stage, Tally};
use crate::client::seconds;
use crate::output::{bytes, printable};

/// How far one file is.
pub(super) fn describe(tally: &Tally, is_alone: bool) -> String {
    match tally.stage {
        Stage::Waiting => "waits for its turn".to_owned(),
        Stage::Comparing => format!("{} compared with what is there", bytes(tally.compared_bytes)),
        Stage::Finishing => format!("{} there, being made visible", bytes(tally.there_bytes())),
        Stage::Done => "done".to_owned(),
        Stage::Failed => "failed".to_owned(),
        Stage::Moving => moving(tally, is_alone),
    }
}

fn moving(tally: &Tally, is_alone: bool) -> String {
    let mut facts = vec![amount(tally.there_bytes(), tally.total_bytes)];
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
pub(super) fn total(tallies: &[Tally], rate: &Rate) -> String {
    let done = tallies.iter().filter(|tally| tally.stage == Stage::Done).count();
    let failed = tallies.iter().filter(|tally| tally.stage == Stage::Failed).count() as u64;
    let (there, total) = (there_bytes(tallies), total_bytes(tallies));
    let mut facts = vec![format!("{done}/{} files", tallies.len()), amount(there, total)];
    facts.extend(rate.bytes_per_s().map(|rate| format!("{}/s", bytes(rate))));
    let rest = total.map(|total| total.saturating_sub(there)).filter(|rest| *rest > 0);
    let left = rest.and_then(|rest| rate.left(rest));
    facts.extend(left.map(|left| format!("{} left", seconds(left))));
    let retries = tallies.iter().map(|tally| u64::from(tally.retries)).sum();
    facts.extend(count(retries, "retry", "retries"));
    facts.extend(count(failed, "failed", "failed"));
    facts.extend(tallies.iter().find(|tally| tally.is_under_way()).and_then(workers));
    facts.join(", ")
}

/// One line that says it all, for logs.
pub(super) fn line(named: &[Named], tallies: &[Tally], rate: &Rate) -> String {
    match (named, tallies) {
        ([file], [tally]) => format!("{}: {}", file.shown(), describe(tally, true)),
        _ => total(tallies, rate),
    }
}

/// What is said at once: remarks always, failures of parts only where no bar shows them. How a file ended is data.
pub(super) fn remark(name: &str, event: &Event<'_>, is_in_lines: bool) -> Option<String> {
    let name = printable(name);
    match event {
        Event::Note { what } => Some(format!("{name}: {}\n", printable(what))),
        Event::Retrying { number, wait, why, .. } if is_in_lines => {
            let (why, wait) = (printable(why), seconds(*wait));
            Some(format!("{name}: part {number} is sent again in {wait}: {why}\n"))
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

fn amount(there: u64, total: Option<u64>) -> String {
    match total {
        // Rounded down: 100 % is said when all is there.
        Some(total) if total > 0 => {
            let percent = u128::from(there) * 100 / u128::from(total);
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
        Named { name: "a\u{1b}.mp4".into(), key: "a".into(), total_bytes: None }
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
        assert_eq!(describe(&tally, true), "3.0 MiB");
    }
}
