//! What follows from the figures. Pure: no words, no IO.

use super::{Case, Report, Row};

/// What differs by less is the same: one measurement is no more exact.
pub(super) const SAME_PERCENT: i64 = 10;

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// As fast as the fastest with the fewest workers, and among those with the smallest parts.
    pub(super) advice: Case,
    pub(super) beyond: Beyond,
    pub(super) from_one: Option<FromOne>,
    pub(super) sizes: Option<Sizes>,
}

/// What more workers than advised make of it, with parts of the advised size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// There is nothing to compare with.
    Untold,
    /// One is enough; so many make the most of it.
    OneFills { workers: usize, gain_percent: i64 },
    /// More are not worth it; so many make the most of it.
    Enough { workers: usize, gain_percent: i64 },
    /// The most that were measured are the best; so much faster than so many.
    Open { fewer: usize, gain_percent: i64 },
}

/// How much four workers are beside one: the rule of thumb is three to five times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FromOne {
    pub(super) tenths: u64,
}

impl FromOne {
    pub(super) const WORKERS: usize = 4;

    pub(super) fn is_as_expected(self) -> bool {
        self.tenths >= 30
    }
}

/// What part size changes, with as many workers as advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// Little.
    Alike { largest_bytes: u64, apart_percent: i64 },
    /// Smaller parts than advised are slower: so much faster is the advice than these.
    SmallerLose { smaller_bytes: u64, gain_percent: i64 },
    /// The smallest are the best; so much slower are these.
    LargerLose { larger_bytes: u64, loss_percent: i64 },
}

/// Nothing where nothing was measured.
pub(crate) fn judge(report: &Report) -> Option<Verdict> {
    let top = fair(report).map(|row| report.rate(row)).max()?;
    let good = fair(report).filter(|row| is_same(top, report.rate(row)));
    let advice = good.map(|row| row.case).min_by_key(|case| (case.workers, case.part_bytes))?;
    let alone = report.row(Case { workers: FromOne::WORKERS, ..advice });
    Some(Verdict {
        advice,
        beyond: beyond(report, advice),
        from_one: alone.and_then(|row| report.speed_up_tenths(row)).map(|tenths| FromOne { tenths }),
        sizes: sizes(report, advice),
    })
}

/// Rows whose workers all had something to do: others say nothing about either.
fn fair(report: &Report) -> impl Iterator<Item = &Row> {
    report.rows.iter().filter(|row| report.part_count(row) >= row.case.workers as u64)
}

fn beyond(report: &Report, advice: Case) -> Beyond {
    let rates = fair(report).filter(|row| row.case.part_bytes == advice.part_bytes);
    let rates: Vec<(usize, u64)> = rates.map(|row| (row.case.workers, report.rate(row))).collect();
    let rate_of =
        |wanted: usize| rates.iter().find(|(workers, _)| *workers == wanted).map_or(0, |(_, rate)| *rate);
    let advised = rate_of(advice.workers);
    // Of two that gain the same, the first one costs less.
    let more =
        rates.iter().rev().filter(|(workers, _)| *workers > advice.workers).max_by_key(|(_, rate)| *rate);
    if let Some((workers, rate)) = more {
        let (workers, gain_percent) = (*workers, gain(*rate, advised));
        return match advice.workers {
            1 => Beyond::OneFills { workers, gain_percent },
            _ => Beyond::Enough { workers, gain_percent },
        };
    }
    match rates.iter().rev().find(|(workers, _)| *workers < advice.workers) {
        Some((fewer, rate)) => Beyond::Open { fewer: *fewer, gain_percent: gain(advised, *rate) },
        None => Beyond::Untold,
    }
}

fn sizes(report: &Report, advice: Case) -> Option<Sizes> {
    let rows = fair(report).filter(|row| row.case.workers == advice.workers);
    let rates: Vec<(u64, u64)> = rows.map(|row| (row.case.part_bytes, report.rate(row))).collect();
    let (largest_bytes, _) = *rates.last()?;
    let advised = report.rate(report.row(advice)?);
    let best = rates.iter().map(|(_, rate)| *rate).max()?;
    let worst = rates.iter().map(|(_, rate)| *rate).min()?;
    if rates.len() < 2 {
        return None;
    }
    let slower = rates.iter().filter(|(_, rate)| !is_same(advised, *rate));
    let (smaller, larger): (Vec<_>, Vec<_>) = slower.partition(|(bytes, _)| *bytes < advice.part_bytes);
    if let Some((smaller_bytes, rate)) = smaller.last() {
        return Some(Sizes::SmallerLose {
            smaller_bytes: *smaller_bytes,
            gain_percent: gain(advised, *rate),
        });
    }
    if let Some((larger_bytes, rate)) = larger.iter().min_by_key(|(_, rate)| *rate) {
        return Some(Sizes::LargerLose { larger_bytes: *larger_bytes, loss_percent: -gain(*rate, advised) });
    }
    Some(Sizes::Alike { largest_bytes, apart_percent: gain(best, worst) })
}

fn is_same(best: u64, rate: u64) -> bool {
    u128::from(rate) * 100 >= u128::from(best) * u128::from((100 - SAME_PERCENT).unsigned_abs())
}

/// By how many per cent one rate is higher than another.
fn gain(rate: u64, than: u64) -> i64 {
    let percent = (u128::from(rate) * 100 + u128::from(than) / 2) / u128::from(than.max(1));
    i64::try_from(percent).unwrap_or(i64::MAX) - 100
}

#[cfg(test)]
mod tests {
    use super::super::samples::{MIB, far, report};
    use super::*;

    fn beyond_of(rates: &[(u64, usize, u64)]) -> (usize, Beyond) {
        let verdict = judge(&report(rates)).unwrap();
        (verdict.advice.workers, verdict.beyond)
    }

    #[test]
    fn the_fewest_workers_that_are_as_fast_as_the_fastest_are_enough() {
        for (rates, workers, beyond) in [
            (&[(5, 1, 100)][..], 1, Beyond::Untold),
            (&[(5, 4, 100)], 4, Beyond::Untold),
            (&[(5, 1, 100), (5, 4, 104)], 1, Beyond::OneFills { workers: 4, gain_percent: 4 }),
            (&[(5, 1, 100), (5, 4, 80)], 1, Beyond::OneFills { workers: 4, gain_percent: -20 }),
            (
                &[(5, 1, 100), (5, 2, 200), (5, 4, 400), (5, 8, 424)],
                4,
                Beyond::Enough { workers: 8, gain_percent: 6 },
            ),
            (
                &[(5, 1, 100), (5, 2, 200), (5, 4, 190), (5, 8, 210)],
                2,
                Beyond::Enough { workers: 8, gain_percent: 5 },
            ),
            (&[(5, 1, 100), (5, 2, 200), (5, 4, 150)], 2, Beyond::Enough { workers: 4, gain_percent: -25 }),
            (&[(5, 1, 100), (5, 2, 200), (5, 4, 390)], 4, Beyond::Open { fewer: 2, gain_percent: 95 }),
        ] {
            assert_eq!(beyond_of(rates), (workers, beyond), "{rates:?}");
        }
    }

    #[test]
    fn four_workers_are_set_against_one() {
        for (rates, tenths) in [
            (&[(5, 1, 100), (5, 4, 383)][..], Some(38)),
            (&[(5, 1, 100), (5, 4, 100)], Some(10)),
            (&[(5, 2, 100), (5, 4, 383)], None),
            (&[(5, 1, 100), (5, 8, 383)], None),
        ] {
            let found = judge(&report(rates)).unwrap().from_one;
            assert_eq!(found, tenths.map(|tenths| FromOne { tenths }), "{rates:?}");
        }
        assert!(FromOne { tenths: 30 }.is_as_expected() && !FromOne { tenths: 29 }.is_as_expected());
    }

    #[test]
    fn part_sizes_are_compared_where_it_is_fast() {
        for (rates, part_mib, sizes) in [
            (&[(1, 4, 100)][..], 1, None),
            (
                &[(1, 4, 96), (5, 4, 100), (10, 4, 94)],
                1,
                Some(Sizes::Alike { largest_bytes: 10 * MIB, apart_percent: 6 }),
            ),
            (
                &[(1, 4, 50), (2, 4, 80), (5, 4, 100), (10, 4, 101)],
                5,
                Some(Sizes::SmallerLose { smaller_bytes: 2 * MIB, gain_percent: 25 }),
            ),
            (
                &[(1, 4, 100), (5, 4, 95), (10, 4, 60)],
                1,
                Some(Sizes::LargerLose { larger_bytes: 10 * MIB, loss_percent: 40 }),
            ),
        ] {
            let verdict = judge(&report(rates)).unwrap();
            assert_eq!((verdict.advice.part_bytes, verdict.sizes), (part_mib * MIB, sizes), "{rates:?}");
        }
    }

    #[test]
    fn fewer_workers_count_more_than_smaller_parts() {
        let verdict = judge(&far()).unwrap();
        assert_eq!(verdict.advice, Case { part_bytes: 5 * MIB, workers: 4 });
        assert_eq!(verdict.beyond, Beyond::Enough { workers: 8, gain_percent: 6 });
        assert_eq!(verdict.sizes, Some(Sizes::SmallerLose { smaller_bytes: MIB, gain_percent: 24 }));
    }

    #[test]
    fn idle_workers_are_no_argument() {
        let rates = [(1, 4, 400), (1, 8, 800), (20, 4, 390), (20, 8, 400), (60, 1, 900), (60, 2, 1)];
        let verdict = judge(&report(&rates)).unwrap();
        assert_eq!(verdict.advice, Case { part_bytes: 60 * MIB, workers: 1 });
        let verdict = judge(&report(&rates[..4])).unwrap();
        assert_eq!((verdict.advice, verdict.sizes), (Case { part_bytes: MIB, workers: 8 }, None));
    }

    #[test]
    fn nothing_follows_from_nothing() {
        assert_eq!(judge(&report(&[])), None);
    }
}
