//! Which bytes a request wants (RFC 9110, 14).

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::RANGE;

/// More ranges than this are not served one by one: the whole file is sent, as the standard allows.
const RANGES_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole,
    /// At least one, none empty, none overlapping.
    Ranges(Vec<Range<u64>>),
    /// Ranges were asked for, and none lies within the file.
    Nothing,
}

/// A header that is malformed, excessive or of another unit counts as not sent.
pub(crate) fn wanted(headers: &HeaderMap, size_bytes: u64) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Wanted::Whole;
    };
    let specs = line
        .to_str()
        .ok()
        .and_then(|text| text.split_once('='))
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((_, specs)) = specs else {
        return Wanted::Whole;
    };
    let mut ranges = Vec::new();
    for (count, spec) in specs.split(',').map(str::trim).filter(|spec| !spec.is_empty()).enumerate() {
        if count >= RANGES_MAX {
            return Wanted::Whole;
        }
        match parse(spec, size_bytes) {
            Spec::Malformed => return Wanted::Whole,
            Spec::Outside => {}
            Spec::Within(range) => ranges.push(range),
        }
    }
    if specs.trim().is_empty() || overlap(&ranges) {
        return Wanted::Whole;
    }
    if ranges.is_empty() {
        return Wanted::Nothing;
    }
    Wanted::Ranges(ranges)
}

enum Spec {
    Malformed,
    Outside,
    Within(Range<u64>),
}

fn parse(spec: &str, size_bytes: u64) -> Spec {
    let Some((first, last)) = spec.split_once('-') else {
        return Spec::Malformed;
    };
    let (first, last) = (number(first.trim()), number(last.trim()));
    let range = match (first, last) {
        (Ok(Some(first)), Ok(Some(last))) if first > last => return Spec::Malformed,
        (Ok(Some(first)), Ok(Some(last))) => first..last.saturating_add(1).min(size_bytes),
        (Ok(Some(first)), Ok(None)) => first..size_bytes,
        (Ok(None), Ok(Some(suffix))) => size_bytes.saturating_sub(suffix)..size_bytes,
        (Ok(None), Ok(None)) | (Err(()), _) | (_, Err(())) => return Spec::Malformed,
    };
    if range.is_empty() {
        return Spec::Outside;
    }
    Spec::Within(range)
}

/// Digits, or nothing. A number too large for us lies behind every file.
fn number(text: &str) -> Result<Option<u64>, ()> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(());
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

fn overlap(ranges: &[Range<u64>]) -> bool {
    let mut sorted: Vec<&Range<u64>> = ranges.iter().collect();
    sorted.sort_by_key(|range| range.start);
    sorted.windows(2).any(|pair| pair[0].end > pair[1].start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, size_bytes: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, text.parse().unwrap());
        wanted(&headers, size_bytes)
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        let cases = [
            ("bytes=0-0", 0..1),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("bytes=5-99", 5..10),
            ("Bytes = 1-2", 1..3),
            ("bytes=9-18446744073709551616", 9..10),
        ];
        for (text, range) in cases {
            assert_eq!(of(text, 10), Wanted::Ranges([range].into()), "{text}");
        }
        assert_eq!(of("bytes=0-1, 4-5,, -1", 10), Wanted::Ranges(vec![0..2, 4..6, 9..10]));
        assert_eq!(of("bytes=0-1,50-60", 10), of("bytes=0-1", 10));
    }

    #[test]
    fn what_lies_outside_is_unsatisfiable() {
        for (text, size) in [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)] {
            assert_eq!(of(text, size), Wanted::Nothing, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_abusive_gets_the_whole_file() {
        let many = format!("bytes={}", (0..17).map(|at| format!("{at}-{at}")).collect::<Vec<_>>().join(","));
        for text in [
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=3-1",
            "bytes=a-b",
            "bytes=+1-2",
            "items=0-1",
            "bytes=0-5,3-8",
            "bytes=1",
            &many,
        ] {
            assert_eq!(of(text, 100), Wanted::Whole, "{text}");
        }
    }

    proptest! {
        #[test]
        fn ranges_never_leave_the_file(text in "bytes=[0-9, -]{0,40}", size in 0_u64..100) {
            if let Wanted::Ranges(ranges) = of(&text, size) {
                let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
                prop_assert!(total <= size && !ranges.is_empty());
                prop_assert!(ranges.iter().all(|range| !range.is_empty() && range.end <= size));
            }
        }
    }
}
