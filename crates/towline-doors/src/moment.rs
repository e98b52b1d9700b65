//! Moments as HTTP and JSON write them.

use std::time::{Duration, SystemTime};

use towline_core::clock::Timestamp;

/// The last second of the year 9999: neither form can write more.
const LAST_MS: i64 = 253_402_300_799_000;

fn system_time(at: Timestamp) -> SystemTime {
    let millis = at.as_millis().clamp(0, LAST_MS);
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// `2026-11-21T02:09:25.123Z`. What lies before 1970 or after 9999 is written as the nearest moment within.
pub fn rfc3339(at: Timestamp) -> String {
    humantime::format_rfc3339_millis(system_time(at)).to_string()
}

/// `Sat, 21 Nov 2026 02:09:25 GMT`.
pub(crate) fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(system_time(at))
}

/// Seconds since 1970 of a date in a header; nothing when it is none.
pub(crate) fn parse_http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_both_forms_whatever_they_are() {
        let at = Timestamp::from_millis(1_795_219_765_123);
        assert_eq!(rfc3339(at), "2026-11-21T00:09:25.123Z");
        assert_eq!(http_date(at), "Sat, 21 Nov 2026 00:09:25 GMT");
        assert_eq!(parse_http_date(&http_date(at)), Some(1_795_219_765));
        for millis in [i64::MIN, -1, i64::MAX] {
            let at = Timestamp::from_millis(millis);
            assert!(parse_http_date(&http_date(at)).is_some());
            assert!(rfc3339(at).ends_with('Z'));
        }
    }
}
