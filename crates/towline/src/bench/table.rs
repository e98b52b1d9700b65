//! The figures as a table, and what follows from them.

use std::time::Duration;

use super::words::{conclusions, notes, peak_bytes, size, tenths};
use super::{Report, Row};
use crate::client::rate;
use crate::output::{bytes, table};

pub(super) const HEAD: [&str; 9] =
    ["PARTS OF", "WORKERS", "TIME", "RATE", "SPEED-UP", "MEDIAN PART", "SLOWEST", "MEMORY", "FAILED TRIES"];

pub(crate) fn to_text(report: &Report) -> String {
    let mut text = format!("{} each to {}\n\n", bytes(report.size_bytes), report.place);
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(cells(report)).collect();
    text += &table(&flush_right(&rows));
    for paragraph in [conclusions(report), notes(report)] {
        text.push('\n');
        for sentence in paragraph {
            text += &wrapped(&sentence);
        }
    }
    text
}

/// One row for each combination, under the same heads.
pub(super) fn cells(report: &Report) -> Vec<[String; 9]> {
    report.rows.iter().map(|row| to_cells(report, row)).collect()
}

fn to_cells(report: &Report, row: &Row) -> [String; 9] {
    let run = row.median();
    let is_granted_only = |part_bytes: u64| {
        report.grants.iter().any(|grant| grant.part_bytes == part_bytes && grant.asked_bytes != part_bytes)
    };
    let mark = if is_granted_only(row.case.part_bytes) { "*" } else { "" };
    [
        format!("{mark}{}", size(row.case.part_bytes)),
        row.case.workers.to_string(),
        span(run.took),
        rate(report.size_bytes, run.took),
        report.speed_up_tenths(row).map_or("-".to_owned(), |factor| format!("{} x", tenths(factor))),
        span(run.median_part),
        span(run.slowest_part),
        peak_bytes(row).map_or("-".to_owned(), bytes),
        row.failed_tries().to_string(),
    ]
}

/// Three figures, more or less.
pub(super) fn span(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0..10 => format!("{}.{} ms", millis, span.subsec_micros() % 1000 / 100),
        10..1000 => format!("{millis} ms"),
        1000..10_000 => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
        10_000..100_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} s", millis / 1000),
    }
}

/// Figures are compared by their last digits.
fn flush_right(rows: &[[String; 9]]) -> Vec<Vec<String>> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let cell = |row: &[String; 9], column: usize| format!("{:>1$}", row[column], width(column));
    rows.iter().map(|row| (0..HEAD.len()).map(|column| cell(row, column)).collect()).collect()
}

fn wrapped(sentence: &str) -> String {
    const COLUMNS: usize = 100;
    let (mut text, mut used) = (String::new(), 0);
    for word in sentence.split(' ') {
        let width = word.chars().count();
        if used > 0 && used + 1 + width > COLUMNS {
            text.push_str("\n  ");
            used = 2;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += width;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::samples::report;
    use super::*;

    #[test]
    fn figures_stand_below_each_other() {
        let mut report = report(&[(1, 1, 1000), (1, 16, 3850), (10, 4, 120_000)]);
        report.rows[0].runs[0].peak_bytes = None;
        insta::assert_snapshot!(to_text(&report), @r"
        100.0 MiB each to http://up.example:8000

        PARTS OF  WORKERS    TIME          RATE  SPEED-UP  MEDIAN PART  SLOWEST    MEMORY  FAILED TRIES
           1 MiB        1   102 s  1000.0 KiB/s     1.0 x       250 ms   1.25 s         -             0
           1 MiB       16  26.5 s     3.7 MiB/s     3.9 x       250 ms   1.25 s  26.0 MiB             0
          10 MiB        4  853 ms   117.2 MiB/s         -       250 ms   1.25 s  14.0 MiB             0

        Best on this line: --workers 4 --part-size 10MiB reaches 117.2 MiB/s.
        The client's memory peaked between 14.0 MiB and 26.0 MiB.

        Each was measured once: what differs by less than 10 % may be chance; --repeat 3 is surer.
        Parts only: each upload is given up when they are in, so making the file visible is not in the
          times, and nothing stays there.
        ");
    }

    #[test]
    fn spans_are_as_exact_as_they_were_measured() {
        for (micros, text) in [
            (1234, "1.2 ms"),
            (12_345, "12 ms"),
            (1_234_567, "1.23 s"),
            (12_345_678, "12.3 s"),
            (123_456_789, "123 s"),
        ] {
            assert_eq!(span(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn long_sentences_are_wrapped_at_words() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().count() == 3 && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
