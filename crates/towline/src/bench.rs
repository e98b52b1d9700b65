//! Measures how part size and parallel parts change an upload, and says what follows. Here are the words; how it is
//! measured is in `course` and `trial`, what follows in `judge`, how it is told in `words`, `table`, `json`, `chart` and
//! `page`.

mod chart;
mod course;
mod grant;
mod json;
mod judge;
mod memory;
mod noise;
mod page;
mod table;
mod trial;
mod words;

use std::time::Duration;

use towline_core::clock::Timestamp;

pub(crate) use course::{Course, End};
pub(crate) use json::to_json;
pub(crate) use noise::Noise;
pub(crate) use table::to_text;

/// More than this fill any line, or the server.
pub(crate) const WORKERS_MAX: u16 = 256;
/// More would take a day and tell nothing.
pub(crate) const CASES_MAX: usize = 100;

/// How a chart is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    Svg,
    /// A page that holds the chart, the table and the sentences.
    Html,
}

impl Drawing {
    pub(crate) fn draw(self, report: &Report) -> String {
        match self {
            Self::Svg => chart::to_svg(report),
            Self::Html => page::to_html(report),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) part_sizes: Vec<u64>,
    pub(crate) workers: Vec<usize>,
    /// How much is uploaded each time.
    pub(crate) size_bytes: u64,
    pub(crate) repeat: usize,
}

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) part_bytes: u64,
    pub(crate) workers: usize,
}

/// One upload of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// From the first byte of the first part to the answer to the last.
    pub(crate) took: Duration,
    /// How long parts took, tries that failed included.
    pub(crate) median_part: Duration,
    pub(crate) slowest_part: Duration,
    /// Of this program; nothing where the system does not say.
    pub(crate) peak_bytes: Option<u64>,
    /// How many tries failed.
    pub(crate) failed_tries: u64,
}

/// What was measured of one combination: at least one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    /// The run in the middle, by its time; of two, the quicker one.
    pub(crate) fn median(&self) -> &Run {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.took);
        runs[(runs.len() - 1) / 2]
    }

    pub(crate) fn failed_tries(&self) -> u64 {
        self.runs.iter().map(|run| run.failed_tries).sum()
    }
}

/// What the other end made of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) asked_bytes: u64,
    pub(crate) part_bytes: u64,
}

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Without secrets.
    pub(crate) place: String,
    pub(crate) at: Timestamp,
    pub(crate) size_bytes: u64,
    pub(crate) grants: Vec<Grant>,
    /// How many combinations there were to be, and how often each.
    pub(crate) case_count: usize,
    pub(crate) repeat: usize,
    /// By part size, then by workers.
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// In bytes per second.
    pub(crate) fn rate(&self, row: &Row) -> u64 {
        let micros = row.median().took.as_micros().max(1);
        u64::try_from(u128::from(self.size_bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    pub(crate) fn row(&self, case: Case) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }

    /// How many times as fast as with one worker and parts of the same size, in tenths.
    pub(crate) fn speed_up_tenths(&self, row: &Row) -> Option<u64> {
        let alone = self.row(Case { workers: 1, ..row.case })?;
        let (rate, alone) = (u128::from(self.rate(row)), u128::from(self.rate(alone).max(1)));
        u64::try_from((rate * 10 + alone / 2) / alone).ok()
    }

    pub(crate) fn part_count(&self, row: &Row) -> u64 {
        self.size_bytes.div_ceil(row.case.part_bytes)
    }

    pub(crate) fn part_sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.rows.iter().map(|row| row.case.part_bytes).collect();
        sizes.dedup();
        sizes
    }

    pub(crate) fn worker_counts(&self) -> Vec<usize> {
        let mut counts: Vec<usize> = self.rows.iter().map(|row| row.case.workers).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.rows.len() == self.case_count && self.rows.iter().all(|row| row.runs.len() == self.repeat)
    }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Reports for tests.

    use std::time::Duration;

    use towline_core::clock::Timestamp;

    use super::{Case, Grant, Report, Row, Run};

    pub(crate) const MIB: u64 = 1 << 20;

    /// 100 MiB each, at so many KiB a second by part size in MiB and workers.
    pub(crate) fn report(rates: &[(u64, usize, u64)]) -> Report {
        let rows = rates.iter().map(|(part_mib, workers, kib_per_s)| {
            let took = Duration::from_micros(100 * 1024 * 1_000_000 / kib_per_s);
            let run = Run {
                took,
                median_part: Duration::from_millis(250),
                slowest_part: Duration::from_millis(1250),
                peak_bytes: Some((10 + *workers as u64) * MIB),
                failed_tries: 0,
            };
            Row { case: Case { part_bytes: part_mib * MIB, workers: *workers }, runs: vec![run] }
        });
        let rows: Vec<Row> = rows.collect();
        let mut report = Report {
            place: "http://up.example:8000".to_owned(),
            at: Timestamp::from_millis(1_793_000_000_000),
            size_bytes: 100 * MIB,
            grants: Vec::new(),
            case_count: rows.len(),
            repeat: 1,
            rows,
        };
        let sizes = report.part_sizes();
        report.grants =
            sizes.into_iter().map(|part_bytes| Grant { asked_bytes: part_bytes, part_bytes }).collect();
        report
    }

    /// A line on which distance slows each connection.
    pub(crate) fn far() -> Report {
        report(&[
            (1, 1, 1000),
            (1, 2, 1980),
            (1, 4, 3700),
            (1, 8, 5100),
            (5, 1, 1200),
            (5, 2, 2390),
            (5, 4, 4600),
            (5, 8, 4870),
            (10, 1, 1230),
            (10, 2, 2400),
            (10, 4, 4650),
            (10, 8, 4700),
        ])
    }
}
