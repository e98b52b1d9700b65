//! How clients' commands put things: spans of time, rates, digests, and what to do about troubles.

use std::time::Duration;

use anyhow::anyhow;
use towline_client::trouble::Trouble;

use crate::exit::Complaint;
use crate::output::{bytes, printable};

/// A span of time as a person reads it.
pub(crate) fn seconds(span: Duration) -> String {
    let whole = span.as_secs();
    match whole {
        0..10 if span.subsec_millis() >= 50 => format!("{:.1} s", span.as_secs_f64()),
        0..100 => format!("{whole} s"),
        100..6000 => format!("{} min {} s", whole / 60, whole % 60),
        6000..172_800 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} days", whole / 86_400),
    }
}

/// So much in so long.
pub(crate) fn rate(amount: u64, span: Duration) -> String {
    let millis = span.as_millis().max(1);
    let per_second = u128::from(amount) * 1000 / millis;
    format!("{}/s", bytes(u64::try_from(per_second).unwrap_or(u64::MAX)))
}

/// As the session door spells it.
pub(crate) fn hex64(crc64: u64) -> String {
    format!("{crc64:016x}")
}

/// How often something was tried again.
pub(crate) fn retries(count: u64) -> String {
    match count {
        0 => "no retries".to_owned(),
        1 => "1 retry".to_owned(),
        _ => format!("{count} retries"),
    }
}

/// A trouble with what to do about it.
pub(crate) fn complain(trouble: &Trouble) -> Complaint {
    let complaint = Complaint::from(anyhow!("{}", printable(&trouble.to_string())));
    match trouble {
        Trouble::Refused { hint: Some(hint), .. } => complaint.hint(printable(hint)),
        Trouble::Refused { hint: None, .. } | Trouble::Gone { .. } | Trouble::Source { .. } => complaint,
        Trouble::Passing { .. } => {
            complaint.hint("it may pass: look at the address and the line, then run the same command again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_they_need_to_be() {
        for (millis, text) in [
            (0, "0 s"),
            (49, "0 s"),
            (1500, "1.5 s"),
            (12_345, "12 s"),
            (99_999, "99 s"),
            (250_000, "4 min 10 s"),
            (7_500_000, "2 h 5 min"),
            (400_000_000, "4 days"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_rate_of_no_time_is_finite() {
        assert_eq!(rate(1 << 20, Duration::from_millis(500)), "2.0 MiB/s");
        assert_eq!(rate(1 << 20, Duration::ZERO), "1000.0 MiB/s");
    }

    #[test]
    fn a_trouble_says_what_to_do() {
        let refused = Trouble::refused("the server wants a token").hint("set TOWLINE_TOKEN");
        let text = complain(&refused).to_text();
        assert_eq!(text, "error: the server wants a token\nhint: set TOWLINE_TOKEN\n");
        assert!(complain(&Trouble::passing("a\u{1b}b")).to_text().starts_with("error: a\\u{1b}b\nhint: "));
    }
}
