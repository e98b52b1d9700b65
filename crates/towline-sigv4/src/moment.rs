//! Moments as signatures write them, and the days their keys are for. Civil dates are counted here, from seconds
//! that somebody else read off a clock.

use std::fmt;
use std::time::Duration;

const DAY_SECONDS: i64 = 86_400;
/// The last second of the year 9999: later years do not fit the format.
const LAST: i64 = 253_402_300_799;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A second between 1970 and 9999 UTC. Displayed as `yyyymmddThhmmssZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// A day between 1970 and 9999 UTC, counted from 1970. Displayed as `yyyymmdd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

impl Moment {
    /// What lies outside 1970 to 9999 becomes the nearest moment inside.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(0, LAST))
    }

    pub fn as_unix(self) -> i64 {
        self.0
    }

    pub fn day(self) -> Day {
        Day(self.0 / DAY_SECONDS)
    }

    /// Reads `yyyymmddThhmmssZ` and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, rest) = text.split_once('T')?;
        let clock = rest.strip_suffix('Z').filter(|clock| clock.len() == 6 && clock.is_ascii())?;
        Self::at(Day::parse(day)?, [&clock[..2], &clock[2..4], &clock[4..]])
    }

    /// Reads the date of an HTTP header in the form that is written today: `Fri, 24 May 2013 00:00:00 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [weekday, day, month, year, clock, "GMT"] = words[..] else {
            return None;
        };
        WEEKDAYS.iter().find(|name| weekday.strip_suffix(',') == Some(**name))?;
        let month = MONTHS.iter().position(|name| *name == month)? + 1;
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts[..] else {
            return None;
        };
        Self::at(Day::parse(&format!("{year}{month:02}{day}"))?, [hour, minute, second])
    }

    fn at(day: Day, clock: [&str; 3]) -> Option<Self> {
        let [hour, minute, second] = clock.map(|part| (part.len() == 2).then(|| number(part)).flatten());
        let (hour, minute, second) = (hour?, minute?, second?);
        let is_real = hour < 24 && minute < 60 && second < 60;
        is_real.then(|| Self(day.0 * DAY_SECONDS + hour * 3600 + minute * 60 + second))
    }

    /// The moment `span` later; at most the last one there is.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(LAST);
        Self::from_unix(self.0.saturating_add(seconds))
    }

    /// How long ago `earlier` was; nothing when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// `yyyy-mm-ddThh:mm:ssZ`, as documents write moments.
    pub fn to_iso(self) -> String {
        let Civil { year, month, day } = self.day().civil();
        let (hour, minute, second) = self.clock();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    fn clock(self) -> (i64, i64, i64) {
        let seconds = self.0 % DAY_SECONDS;
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.clock();
        write!(f, "{}T{hour:02}{minute:02}{second:02}Z", self.day())
    }
}

impl Day {
    /// Reads `yyyymmdd` of a day that exists, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.is_ascii() {
            return None;
        }
        let (year, month, day) = (number(&text[..4])?, number(&text[4..6])?, number(&text[6..])?);
        let found = Self::from_civil(Civil { year, month, day });
        // A day that does not exist, as the 30th of February, counts as another one.
        (year >= 1970 && found.civil() == Civil { year, month, day }).then_some(found)
    }

    /// How many days lie between `earlier` and this day: negative when it is later.
    pub fn days_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// Years are counted from March, so that the leap day is the last one of its year; months then have lengths
    /// that repeat every five months, which 153 / 5 days say.
    fn from_civil(Civil { year, month, day }: Civil) -> Self {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year / 4 - year / 100 + year / 400;
        // 719,468 days lie between the first of March of the year 0 and 1970.
        Self(year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468)
    }

    fn civil(self) -> Civil {
        let days = self.0 + 719_468;
        let (era, in_era) = (days / 146_097, days % 146_097);
        let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year + year / 4 - year / 100);
        let month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month + 2) / 5 + 1;
        let (carry, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
        Civil { year: era * 400 + year + carry, month, day }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day } = self.civil();
        write!(f, "{year:04}{month:02}{day:02}")
    }
}

/// Digits only: `str::parse` would take a sign as well.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_and_read_back() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (68_169_600, "19720229T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_369_353_600, "20130524T000000Z"),
            (1_709_164_799, "20240228T235959Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_709_251_200, "20240301T000000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (4_107_542_399, "21000228T235959Z"),
            (LAST, "99991231T235959Z"),
        ] {
            assert_eq!(Moment(seconds).to_string(), text);
            assert_eq!(Moment::parse(text), Some(Moment(seconds)));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = String::new();
        for day in 0..=Day::parse("99991231").unwrap().0 {
            let text = Day(day).to_string();
            assert_eq!(Day::parse(&text), Some(Day(day)), "{text}");
            assert!(text > last, "{text} after {last}");
            last = text;
        }
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in [
            "",
            "20130524",
            "20130524T000000",
            "20130524T000000z",
            "20130524T240000Z",
            "20130524T006000Z",
            "20130524T000060Z",
            "20130230T000000Z",
            "20230229T000000Z",
            "19691231T235959Z",
            "20131301T000000Z",
            "20130524T+10000Z",
            "2013052éT000000Z",
            "20130524T0000é0Z",
            "20130524T000000ZZ",
            "2013-05-24T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_of_http_is_read() {
        let moment = Moment::parse("20130524T010203Z");
        assert_eq!(Moment::parse_http("Fri, 24 May 2013 01:02:03 GMT"), moment);
        for text in
            ["24 May 2013 01:02:03 GMT", "Fri, 24 May 2013 01:02 GMT", "Fri, 24 May 2013 01:02:03 CET", ""]
        {
            assert_eq!(Moment::parse_http(text), None, "{text}");
        }
    }

    #[test]
    fn moments_beyond_the_format_are_drawn_to_its_ends() {
        assert_eq!(Moment::from_unix(-1), Moment(0));
        assert_eq!(Moment::from_unix(i64::MAX), Moment(LAST));
        assert_eq!(Moment(LAST).after(Duration::MAX), Moment(LAST));
        assert_eq!(Moment(5).since(Moment(9)), Duration::ZERO);
        assert_eq!(Moment(9).since(Moment(5)), Duration::from_secs(4));
        assert_eq!(Moment(1_451_476_800).to_iso(), "2015-12-30T12:00:00Z");
    }
}
