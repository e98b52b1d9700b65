//! Amounts: sizes, spans of time, counts.

use std::time::Duration;

use super::{Shown, Value, shown, text};

/// A number of bytes, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];

impl Value for Size {
    const PLACEHOLDER: &'static str = "SIZE";

    fn allowed() -> String {
        "a number of bytes, or one with KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 5MiB; at least 1".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let bytes = match raw.as_integer() {
            Some(number) => u64::try_from(number).ok(),
            None => measure(text(raw)?, &SIZES).or_else(|| text(raw).ok()?.parse().ok()),
        };
        bytes.filter(|bytes| *bytes > 0).map(Self).ok_or_else(|| format!("{raw} is not a size"))
    }

    fn show(&self) -> Shown {
        shown(in_units(self.0, &SIZES))
    }
}

impl Size {
    /// As the value of a flag that is no setting.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(&text.into())
            .map_err(|_| "a size is such as 16MiB, 5MB or 65536, and at least 1".to_owned())
    }
}

/// A span of time, more than nothing and at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("ms", 1), ("s", 1000)];
const SPAN_MAX: Duration = Duration::from_hours(10 * 365 * 24);

impl Value for Span {
    const PLACEHOLDER: &'static str = "TIME";

    fn allowed() -> String {
        "a number with ms, s, m, h or d, such as 30s or 7d; more than nothing, at most ten years".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        read_span(raw, SPAN_MAX).map(Self)
    }

    fn show(&self) -> Shown {
        show_span(self.0)
    }
}

/// How long a client is waited for: more than nothing and at most an hour, since it holds a place meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

const WAIT_MAX: Duration = Duration::from_hours(1);

impl Value for Wait {
    const PLACEHOLDER: &'static str = "TIME";

    fn allowed() -> String {
        "a number with ms, s or m, such as 30s; more than nothing, at most an hour".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        read_span(raw, WAIT_MAX).map(Self)
    }

    fn show(&self) -> Shown {
        show_span(self.0)
    }
}

fn read_span(raw: &toml::Value, max: Duration) -> Result<Duration, String> {
    let span = measure(text(raw)?, &SPANS).map(Duration::from_millis);
    span.filter(|span| !span.is_zero() && *span <= max)
        .ok_or_else(|| format!("{raw} is not such a span of time"))
}

fn show_span(span: Duration) -> Shown {
    shown(in_units(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), &SPANS))
}

/// Reads a whole number with its unit.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The shortest way to write an amount in one unit.
fn in_units(amount: u64, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .filter(|(_, factor)| amount.is_multiple_of(*factor))
        .map(|(name, factor)| format!("{}{name}", amount / factor))
        .min_by_key(String::len)
        .expect("one of the units is 1")
}

/// How many of something, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) usize);

impl Value for Count {
    const PLACEHOLDER: &'static str = "COUNT";

    fn allowed() -> String {
        "a whole number from 1 to 1000000".into()
    }

    fn read(raw: &toml::Value) -> Result<Self, String> {
        let count = raw.as_integer().or_else(|| raw.as_str()?.parse().ok());
        count
            .filter(|count| (1..=1_000_000).contains(count))
            .and_then(|count| usize::try_from(count).ok())
            .map(Self)
            .ok_or_else(|| format!("{raw} is not such a number"))
    }

    fn show(&self) -> Shown {
        Shown::Is(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_units_and_shown_in_the_shortest() {
        for (raw, bytes, shortest) in [
            ("1", 1, "1B"),
            ("5MiB", 5 << 20, "5MiB"),
            ("5 mib", 5 << 20, "5MiB"),
            ("5120KiB", 5 << 20, "5MiB"),
            ("100MB", 100_000_000, "100MB"),
            ("1025", 1025, "1025B"),
            ("16TiB", 16 << 40, "16TiB"),
        ] {
            let size = Size::read(&raw.into()).unwrap();
            assert_eq!(size, Size(bytes), "{raw}");
            assert_eq!(size.show(), shown(shortest), "{raw}");
        }
        assert_eq!(Size::read(&toml::Value::Integer(7)), Ok(Size(7)));
        for raw in
            ["", "0", "0KB", "-1", "5XB", "MiB", "1.5GB", "5 M iB", "99999999999TiB", "18446744073709551616"]
        {
            assert!(Size::read(&raw.into()).is_err(), "{raw}");
        }
        assert!(Size::read(&toml::Value::Integer(-1)).is_err());
    }

    #[test]
    fn spans_need_a_unit_and_have_an_end() {
        for (raw, millis, shortest) in [
            ("10s", 10_000, "10s"),
            ("60s", 60_000, "1m"),
            ("90s", 90_000, "90s"),
            ("7d", 604_800_000, "7d"),
            ("250ms", 250, "250ms"),
        ] {
            let span = Span::read(&raw.into()).unwrap();
            assert_eq!(span, Span(Duration::from_millis(millis)), "{raw}");
            assert_eq!(span.show(), shown(shortest), "{raw}");
        }
        for raw in ["", "10", "0s", "-1s", "1y", "4000d", "99999999999999999999s"] {
            assert!(Span::read(&raw.into()).is_err(), "{raw}");
        }
        assert!(Span::read(&toml::Value::Integer(10)).is_err());
    }

    #[test]
    fn nobody_is_waited_for_longer_than_an_hour() {
        assert_eq!(Wait::read(&"60m".into()), Ok(Wait(Duration::from_hours(1))));
        for raw in ["0s", "61m", "1d"] {
            assert!(Wait::read(&raw.into()).is_err(), "{raw}");
        }
    }

    #[test]
    fn counts_start_at_one() {
        assert_eq!(Count::read(&"8".into()), Ok(Count(8)));
        assert_eq!(Count::read(&toml::Value::Integer(8)), Ok(Count(8)));
        for raw in ["0", "-1", "many", "1000001"] {
            assert!(Count::read(&raw.into()).is_err(), "{raw}");
        }
    }
}
