//! What a bad line is described with: rates, shares, spacings, times and the server's address, as they are typed and as
//! they are shown.

use std::fmt;
use std::time::Duration;

use crate::config::Size;

/// Without KB and MB: half of the people who write them mean bits.
const RATES: [(&str, u64); 7] = [
    ("kbit", 1000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("bit", 1),
    ("KiB", 8 << 10),
    ("MiB", 8 << 20),
    ("GiB", 8 << 30),
];
const TIMES: [(&str, u64); 4] =
    [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", HOUR_NS)];
const HOUR_NS: u64 = 3_600_000_000_000;
const DAY: Duration = Duration::from_hours(24);
/// Slower, a line would seem dead; faster, it is no line.
const BITS_PER_S: std::ops::RangeInclusive<u64> = 1000..=1_000_000_000_000;

/// So many bits in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    bits_per_s: u64,
}

impl Rate {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        measure(text.strip_suffix("/s").unwrap_or(text), &RATES)
            .filter(|bits| BITS_PER_S.contains(bits))
            .map(|bits_per_s| Self { bits_per_s })
            .ok_or_else(|| {
                "allowed is a number with bit, kbit, mbit or gbit, or with KiB, MiB or GiB, a second, such as 10mbit or \
                 1.5MiB; from 1kbit to 1000gbit"
                    .to_owned()
            })
    }

    /// What passes when so many bytes may be on their way, and for so long.
    pub(super) fn of_window(window_bytes: u64, round_trip: Duration) -> Option<Self> {
        let bits = u128::from(window_bytes) * 8 * 1_000_000_000;
        let bits_per_s = bits.checked_div(round_trip.as_nanos())?;
        Some(Self { bits_per_s: u64::try_from(bits_per_s).unwrap_or(u64::MAX).max(*BITS_PER_S.start()) })
    }

    pub(super) fn min(self, other: Self) -> Self {
        Self { bits_per_s: self.bits_per_s.min(other.bits_per_s) }
    }

    /// How long so many bytes take.
    pub(super) fn time_of(self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.bits_per_s);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    pub(super) fn bytes_in(self, time: Duration) -> u64 {
        let bytes = u128::from(self.bits_per_s) * time.as_nanos() / 8_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits_per_s;
        match bits {
            0..1_000_000 => write!(f, "{} kbit/s", thousandths(bits)),
            1_000_000..1_000_000_000 => write!(f, "{} Mbit/s", thousandths(bits / 1000)),
            _ => write!(f, "{} Gbit/s", thousandths(bits / 1_000_000)),
        }
    }
}

/// How often something happens, of all the times that it could.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Share(f64);

impl Share {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
        percent
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| "allowed is a share from 0% to 100%, such as 5% or 0.1%".to_owned())
    }

    /// From 0 to 1.
    pub(super) fn to_f64(self) -> f64 {
        self.0
    }

    pub(crate) fn is_at_most_half(self) -> bool {
        self.0 <= 0.5
    }

    pub(super) fn is_never(self) -> bool {
        self.0 <= 0.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Five digits behind the point hide what dividing by 100 does to a number.
        let percent = format!("{:.5}", self.0 * 100.0);
        write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// How far apart things happen on average: in what a connection has carried, or in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    Bytes(u64),
    Time(Duration),
}

impl Spacing {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let time = || parse_time(text).ok().filter(|time| !time.is_zero()).map(Self::Time);
        let bytes = Size::parse(text).ok().map(|size| Self::Bytes(size.0));
        bytes.or_else(time).ok_or_else(|| {
            "allowed is a number of bytes such as 20MiB, or a time such as 30s; more than nothing".to_owned()
        })
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&crate::output::bytes(*bytes)),
            Self::Time(time) => write!(f, "{time:?}"),
        }
    }
}

/// A span of time that may be nothing.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let time = if text == "0" { Some(0) } else { measure(text, &TIMES) };
    time.map(Duration::from_nanos).filter(|time| *time <= DAY).ok_or_else(|| {
        "allowed is a number with ms, s, m or h, such as 100ms or 1.5s; at most 24h".to_owned()
    })
}

/// A server as it is typed: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "allowed is http://HOST:PORT or HOST:PORT, without a path";
        if text.starts_with("https://") {
            return Err(format!(
                "TLS is passed on unread: give HOST:PORT, such as example.com:443; {ALLOWED}"
            ));
        }
        let (rest, port) = match text.strip_prefix("http://") {
            Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), Some(":80")),
            None => (text, None),
        };
        let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let address = match port {
            Some(port) if !has_port => format!("{rest}{port}"),
            Some(_) | None => rest.to_owned(),
        };
        let is_host = |host: &str| {
            let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            name.map_or_else(
                || {
                    !host.is_empty()
                        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
                },
                |address| address.parse::<std::net::Ipv6Addr>().is_ok(),
            )
        };
        match address.rsplit_once(':') {
            Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(Self(address))
            }
            Some(_) | None => Err(ALLOWED.to_owned()),
        }
    }

    /// Host and port, as names are looked up.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

/// Reads a number, perhaps with digits behind a point, and its unit.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()))?;
    let (whole, behind) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(*factor)?;
    let scale = 10_u128.checked_pow(u32::try_from(behind.len()).ok()?)?;
    let behind = u128::from(behind.parse::<u64>().ok()?) * u128::from(*factor) / scale;
    whole.checked_add(u64::try_from(behind).ok()?)
}

/// A number of thousandths, without zeros at its end.
fn thousandths(count: u64) -> String {
    let text = format!("{}.{:03}", count / 1000, count % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rate_is_bits_or_bytes_a_second() {
        for (text, bits_per_s, shown) in [
            ("10mbit", 10_000_000, "10 Mbit/s"),
            ("10 Mbit/s", 10_000_000, "10 Mbit/s"),
            ("1.5mbit", 1_500_000, "1.5 Mbit/s"),
            ("64kbit", 64_000, "64 kbit/s"),
            ("64kbps", 0, ""),
            ("2500bit", 2500, "2.5 kbit/s"),
            ("1gbit", 1_000_000_000, "1 Gbit/s"),
            ("1MiB", 8_388_608, "8.388 Mbit/s"),
            ("1.25MB/s", 0, ""),
            ("0.5KiB/s", 4096, "4.096 kbit/s"),
            ("10", 0, ""),
            ("10mb it", 0, ""),
            ("1bit", 0, ""),
            ("9999gbit", 0, ""),
            ("-1mbit", 0, ""),
            ("1.mbit", 0, ""),
            (".mbit", 0, ""),
            ("", 0, ""),
        ] {
            let rate = Rate::parse(text);
            assert_eq!(rate.as_ref().map_or(0, |rate| rate.bits_per_s), bits_per_s, "{text}");
            assert_eq!(rate.map_or(String::new(), |rate| rate.to_string()), shown, "{text}");
        }
    }

    #[test]
    fn a_rate_says_how_long_bytes_take() {
        let rate = Rate::parse("10mbit").unwrap();
        assert_eq!(rate.time_of(1_250_000), Duration::from_secs(1));
        assert_eq!(rate.bytes_in(Duration::from_secs(1)), 1_250_000);
        assert_eq!(Rate::of_window(125_000, Duration::from_millis(100)), Some(rate));
        assert_eq!(Rate::of_window(125_000, Duration::ZERO), None);
    }

    #[test]
    fn a_share_is_in_percent() {
        for (text, share) in [("5%", 0.05), ("0.1 %", 0.001), ("0%", 0.0), ("100%", 1.0)] {
            let read = Share::parse(text).unwrap();
            assert!((read.to_f64() - share).abs() < 1e-12, "{text}");
            assert_eq!(read.to_string(), text.replace(' ', ""));
        }
        for text in ["", "5", "0.05", "%", "-1%", "101%", "NaN%", "inf%"] {
            assert!(Share::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_spacing_is_bytes_or_time() {
        for (text, spacing, shown) in [
            ("20MiB", Spacing::Bytes(20 << 20), "20.0 MiB"),
            ("1500", Spacing::Bytes(1500), "1.4 KiB"),
            ("30s", Spacing::Time(Duration::from_secs(30)), "30s"),
            ("1.5s", Spacing::Time(Duration::from_millis(1500)), "1.5s"),
            ("2m", Spacing::Time(Duration::from_mins(2)), "120s"),
        ] {
            assert_eq!(Spacing::parse(text), Ok(spacing), "{text}");
            assert_eq!(spacing.to_string(), shown);
        }
        for text in ["", "0", "0s", "s", "30 parsecs", "25h"] {
            assert!(Spacing::parse(text).is_err(), "{text}");
        }
        assert_eq!(parse_time("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_target_has_a_host_and_a_port() {
        for (text, target) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://up.example/", "up.example:80"),
            ("http://[::1]", "[::1]:80"),
            ("[::1]:9000", "[::1]:9000"),
            ("localhost:1", "localhost:1"),
        ] {
            assert_eq!(Target::parse(text), Ok(Target(target.into())), "{text}");
        }
        for text in [
            "",
            "up.example",
            ":80",
            "a:0",
            "a:99999",
            "a b:80",
            "http://",
            "http://a:80/b",
            "::1:80",
            "[a]:80",
            "https://a",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_a_parser_panic(text in any::<String>(), unit in "[0-9.]{0,30}[a-zA-Z%:/]{0,5}") {
            for text in [text, unit] {
                drop((Rate::parse(&text), Share::parse(&text), Spacing::parse(&text), parse_time(&text)));
                drop(Target::parse(&text));
            }
        }
    }
}
