//! What was measured and what follows, in plain words.

use super::judge::{Beyond, FromOne, Sizes, Verdict, judge};
use super::{Case, Grant, Report, Row};
use crate::client::rate;
use crate::output::bytes;

/// What follows, the advice first; nothing where nothing was measured.
pub(super) fn conclusions(report: &Report) -> Vec<String> {
    let Some(verdict) = judge(report) else {
        return Vec::new();
    };
    let mut sentences = vec![advice(report, verdict.advice)];
    sentences.extend(of_workers(&verdict));
    sentences.extend(verdict.from_one.and_then(|from_one| expectation(&verdict, from_one)));
    sentences.extend(verdict.sizes.map(|sizes| of_sizes(verdict.advice, sizes)));
    sentences.extend(of_memory(report));
    sentences
}

fn advice(report: &Report, advice: Case) -> String {
    if report.rows.len() == 1 {
        return "One combination alone says nothing about others: measure more with --sizes and --workers."
            .to_owned();
    }
    let rate_of = |row: &Row| rate(report.size_bytes, row.median().took);
    let reached = report.row(advice).map_or_else(String::new, rate_of);
    let flags = format!("--workers {} --part-size {}", advice.workers, flag(advice.part_bytes));
    match report.rows.iter().min_by_key(|row| row.median().took).filter(|row| row.case != advice) {
        Some(fastest) => {
            let fastest = rate_of(fastest);
            format!("Enough on this line: {flags} reaches {reached}; the fastest was {fastest}.")
        }
        None => format!("Best on this line: {flags} reaches {reached}."),
    }
}

fn of_workers(verdict: &Verdict) -> Option<String> {
    let advised = verdict.advice.workers;
    Some(match verdict.beyond {
        Beyond::Untold => return None,
        Beyond::OneFills { workers, gain_percent: gain @ 1.. } => {
            format!("One worker fills this line: {workers} are only {gain} % faster. {USUAL}")
        }
        Beyond::OneFills { .. } => format!("One worker fills this line: more are not faster. {USUAL}"),
        Beyond::Enough { workers, gain_percent: gain @ 1.. } => {
            format!(
                "From {advised} to {workers} workers only {gain} % faster: {advised} are enough on this line."
            )
        }
        Beyond::Enough { .. } => {
            format!("More than {advised} workers are not faster: {advised} are enough on this line.")
        }
        Beyond::Open { fewer, gain_percent } => format!(
            "{advised} workers are {gain_percent} % faster than {fewer}, and more were not measured: where it ends lies \
             beyond."
        ),
    })
}

const USUAL: &str = "That is usual on one machine and on short lines; where distance slows each connection, 4 workers \
                     are 3 to 4 times as fast as one (`towline chaos` makes such a line).";

/// Where one fills the line, that has been said.
fn expectation(verdict: &Verdict, from_one: FromOne) -> Option<String> {
    let times = format!("{} workers are {} times as fast as one", FromOne::WORKERS, tenths(from_one.tenths));
    Some(match (from_one.is_as_expected(), verdict.beyond) {
        (_, Beyond::OneFills { .. }) => return None,
        (true, _) => {
            format!("{times}: as it is to be where distance, not the line's rate, slows each connection.")
        }
        (false, Beyond::Open { .. }) => format!("{times}."),
        (false, Beyond::Enough { .. } | Beyond::Untold) => {
            format!(
                "{times}, not 3 to 4 times: the line's rate, this machine or the server's is used up before."
            )
        }
    })
}

fn of_sizes(advice: Case, sizes: Sizes) -> String {
    let part = size(advice.part_bytes);
    let workers =
        if advice.workers == 1 { "1 worker".to_owned() } else { format!("{} workers", advice.workers) };
    let at_stake = |part_bytes: u64| bytes(part_bytes.saturating_mul(advice.workers as u64));
    let lost = at_stake(advice.part_bytes);
    match sizes {
        Sizes::Alike { largest_bytes, apart_percent } if largest_bytes > advice.part_bytes => {
            let (largest, more) = (size(largest_bytes), at_stake(largest_bytes));
            format!(
                "Part size matters little with {workers} (at most {apart_percent} % apart). Small parts lose less when the \
                 line breaks: up to {lost} with parts of {part}, up to {more} with {largest}."
            )
        }
        Sizes::Alike { apart_percent, .. } => {
            format!("Part size matters little with {workers}: at most {apart_percent} % apart.")
        }
        Sizes::SmallerLose { smaller_bytes, gain_percent } => {
            let smaller = size(smaller_bytes);
            format!(
                "With {workers}, parts of {part} are {gain_percent} % faster than parts of {smaller}: there are fewer \
                 answers to wait for. A line that breaks loses up to {lost}."
            )
        }
        Sizes::LargerLose { larger_bytes, loss_percent } => {
            let (larger, more) = (size(larger_bytes), at_stake(larger_bytes));
            format!(
                "With {workers}, larger parts do not help: {larger} is {loss_percent} % slower than {part}, and a line \
                 that breaks loses up to {more} instead of {lost}."
            )
        }
    }
}

fn of_memory(report: &Report) -> Option<String> {
    let peaks = || report.rows.iter().filter_map(peak_bytes);
    let (least, most) = (peaks().min()?, peaks().max()?);
    if report.rows.len() < 2 {
        return Some(format!("The client's memory peaked at {}.", bytes(most)));
    }
    Some(format!("The client's memory peaked between {} and {}.", bytes(least), bytes(most)))
}

/// Of the first run: later ones have the memory that more workers left behind.
pub(super) fn peak_bytes(row: &Row) -> Option<u64> {
    row.runs.first()?.peak_bytes
}

/// What must be known to read the figures rightly.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes: Vec<String> = report.grants.iter().filter_map(misfit).collect();
    notes.extend(too_few_parts(report));
    let failed: u64 = report.rows.iter().map(Row::failed_tries).sum();
    if failed > 0 {
        notes.push(match failed {
            1 => "1 try failed and was repeated: its time counts.".to_owned(),
            _ => format!("{failed} tries failed and were repeated: their time counts."),
        });
    }
    notes.push(exactness(report));
    notes.push(
        "Parts only: each upload is given up when they are in, so making the file visible is not in the times, and \
         nothing stays there."
            .to_owned(),
    );
    if !report.is_whole() {
        let measured: usize = report.rows.iter().map(|row| row.runs.len()).sum();
        notes.push(format!(
            "Broken off: {measured} of {} uploads were measured.",
            report.case_count * report.repeat
        ));
    }
    notes
}

fn misfit(grant: &Grant) -> Option<String> {
    (grant.asked_bytes != grant.part_bytes).then(|| {
        let (asked, granted) = (size(grant.asked_bytes), size(grant.part_bytes));
        format!("* Parts of {asked} were asked for, and parts of {granted} granted: those were measured.")
    })
}

fn too_few_parts(report: &Report) -> Option<String> {
    let short = |row: &&Row| report.part_count(row) < row.case.workers as u64;
    let row = report.rows.iter().filter(short).max_by_key(|row| row.case.part_bytes)?;
    let (part, parts) = (size(row.case.part_bytes), report.part_count(row));
    let parts = if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") };
    Some(format!(
        "With parts of {part} there are only {parts}: more workers have nothing to do, and say nothing; a larger --size gives them some."
    ))
}

fn exactness(report: &Report) -> String {
    let spread = report.rows.iter().filter_map(spread_percent).max();
    match spread {
        Some(percent) => {
            let count = if report.is_whole() {
                report.repeat.to_string()
            } else {
                format!("up to {}", report.repeat)
            };
            format!(
                "Each figure is the median of {count} runs, which were up to {percent} % apart: smaller differences may be \
                 chance."
            )
        }
        None => "Each was measured once: what differs by less than 10 % may be chance; --repeat 3 is surer."
            .to_owned(),
    }
}

/// How far the slowest run is behind the fastest.
fn spread_percent(row: &Row) -> Option<u128> {
    let micros = || row.runs.iter().map(|run| run.took.as_micros().max(1));
    let (least, most) = (micros().min()?, micros().max()?);
    (row.runs.len() > 1).then(|| most * 100 / least - 100)
}

/// A part size, exact where that is short.
pub(super) fn size(part_bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let exact = UNITS.iter().find(|(_, unit)| part_bytes.is_multiple_of(*unit));
    exact.map_or_else(|| bytes(part_bytes), |(name, unit)| format!("{} {name}", part_bytes / unit))
}

/// A part size as it is written behind a flag: exact.
fn flag(part_bytes: u64) -> String {
    if part_bytes.is_multiple_of(1024) { size(part_bytes).replace(' ', "") } else { part_bytes.to_string() }
}

/// A number with its tenths.
pub(super) fn tenths(count: u64) -> String {
    format!("{}.{}", count / 10, count % 10)
}

#[cfg(test)]
mod tests {
    use super::super::Run;
    use super::super::samples::{MIB, far, report};
    use super::*;

    fn said(report: &Report) -> String {
        conclusions(report).join("\n")
    }

    #[test]
    fn a_far_line_is_told_as_the_rule_says() {
        insta::assert_snapshot!(said(&far()), @r"
        Enough on this line: --workers 4 --part-size 5MiB reaches 4.4 MiB/s; the fastest was 4.9 MiB/s.
        From 4 to 8 workers only 6 % faster: 4 are enough on this line.
        4 workers are 3.8 times as fast as one: as it is to be where distance, not the line's rate, slows each connection.
        With 4 workers, parts of 5 MiB are 24 % faster than parts of 1 MiB: there are fewer answers to wait for. A line that breaks loses up to 20.0 MiB.
        The client's memory peaked between 11.0 MiB and 18.0 MiB.
        ");
    }

    #[test]
    fn a_line_that_one_worker_fills_is_told() {
        let rates = [(1, 1, 1_200_000), (1, 4, 1_230_000), (5, 1, 1_250_000), (5, 4, 1_190_000)];
        insta::assert_snapshot!(said(&report(&rates)), @r"
        Enough on this line: --workers 1 --part-size 1MiB reaches 1.1 GiB/s; the fastest was 1.2 GiB/s.
        One worker fills this line: 4 are only 2 % faster. That is usual on one machine and on short lines; where distance slows each connection, 4 workers are 3 to 4 times as fast as one (`towline chaos` makes such a line).
        Part size matters little with 1 worker (at most 4 % apart). Small parts lose less when the line breaks: up to 1.0 MiB with parts of 1 MiB, up to 5.0 MiB with 5 MiB.
        The client's memory peaked between 11.0 MiB and 14.0 MiB.
        ");
    }

    #[test]
    fn more_workers_than_measured_may_help() {
        let rates = [(5, 1, 100), (5, 4, 190), (5, 8, 360), (10, 8, 200)];
        insta::assert_snapshot!(said(&report(&rates)), @r"
        Best on this line: --workers 8 --part-size 5MiB reaches 360.0 KiB/s.
        8 workers are 89 % faster than 4, and more were not measured: where it ends lies beyond.
        4 workers are 1.9 times as fast as one.
        With 8 workers, larger parts do not help: 10 MiB is 44 % slower than 5 MiB, and a line that breaks loses up to 80.0 MiB instead of 40.0 MiB.
        The client's memory peaked between 11.0 MiB and 18.0 MiB.
        ");
    }

    #[test]
    fn one_figure_is_no_comparison() {
        insta::assert_snapshot!(said(&report(&[(5, 4, 100)])), @r"
        One combination alone says nothing about others: measure more with --sizes and --workers.
        The client's memory peaked at 14.0 MiB.
        ");
        assert_eq!(said(&report(&[])), "");
    }

    #[test]
    fn what_the_figures_hide_is_noted() {
        let mut report = report(&[(5, 1, 100), (5, 4, 200), (50, 4, 200)]);
        insta::assert_snapshot!(notes(&report).join("\n"), @r"
        With parts of 50 MiB there are only 2 parts: more workers have nothing to do, and say nothing; a larger --size gives them some.
        Each was measured once: what differs by less than 10 % may be chance; --repeat 3 is surer.
        Parts only: each upload is given up when they are in, so making the file visible is not in the times, and nothing stays there.
        ");
        report.grants[0].asked_bytes = MIB;
        report.grants.push(Grant { asked_bytes: 5 * MIB, part_bytes: 5 * MIB });
        report.repeat = 2;
        report.rows[0].runs[0].failed_tries = 3;
        let slower = Run { took: report.rows[0].runs[0].took * 3 / 2, ..report.rows[0].runs[0].clone() };
        report.rows[0].runs.push(slower);
        insta::assert_snapshot!(notes(&report).join("\n"), @r"
        * Parts of 1 MiB were asked for, and parts of 5 MiB granted: those were measured.
        With parts of 50 MiB there are only 2 parts: more workers have nothing to do, and say nothing; a larger --size gives them some.
        6 tries failed and were repeated: their time counts.
        Each figure is the median of up to 2 runs, which were up to 50 % apart: smaller differences may be chance.
        Parts only: each upload is given up when they are in, so making the file visible is not in the times, and nothing stays there.
        Broken off: 4 of 6 uploads were measured.
        ");
    }

    #[test]
    fn sizes_are_exact_where_a_flag_wants_them() {
        for (bytes, shown, flagged) in [
            (5 * MIB, "5 MiB", "5MiB"),
            (1 << 30, "1 GiB", "1GiB"),
            (1536, "1.5 KiB", "1536"),
            (5_000_000, "4.7 MiB", "5000000"),
            (1025 * 1024, "1025 KiB", "1025KiB"),
        ] {
            assert_eq!((size(bytes).as_str(), flag(bytes).as_str()), (shown, flagged));
        }
    }
}
