//! Parses dates and times as the API accepts them, with `jiff`. Numbers may be unpadded; the API
//! writes them padded, which is how `jiff` displays dates and times.
//!
//! `strptime` accepts more than the first EventPost did (signs, spaces, a 60th second), which is
//! refused here.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

/// The years that the first EventPost could store (Python's `datetime`).
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

/// Parses `YYYY-MM-DD`, padded or not: `2020-1-2` is the second of January.
pub fn parse_date(text: &str) -> Option<Date> {
    let date = Date::strptime("%Y-%m-%d", digits_and(b'-', text)?).ok()?;
    YEARS.contains(&date.year()).then_some(date)
}

/// Parses `HH:MM:SS`, padded or not, from 00:00:00 to 23:59:59.
pub fn parse_time(text: &str) -> Option<Time> {
    // A leap second would become the second before it.
    let text = digits_and(b':', text).filter(|text| !text.ends_with(":60"))?;
    Time::strptime("%H:%M:%S", text).ok()
}

/// Parses `YYYY-MM-DDTHH:MM:SS`. A fraction of a second is dropped; with `Z` or an offset as in
/// RFC 3339 (`+02:00`), the time is converted to UTC.
pub fn parse_datetime(text: &str) -> Option<DateTime> {
    let (date, rest) = text.split_once('T')?;
    let (rest, offset) = split_offset(rest)?;
    let time = match rest.split_once('.') {
        Some((time, fraction)) if is_number(fraction) => time,
        Some(_) => return None,
        None => rest,
    };
    let local = DateTime::from_parts(parse_date(date)?, parse_time(time)?);
    let utc = local.checked_sub(offset).ok()?;
    YEARS.contains(&utc.year()).then_some(utc)
}

/// Splits off `Z` or `±HH:MM`; a time without either is in UTC already.
fn split_offset(text: &str) -> Option<(&str, SignedDuration)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, SignedDuration::ZERO));
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, SignedDuration::ZERO));
    };
    let (time, offset) = text.split_at(at);
    let hours_and_minutes = digits_and(b':', &offset[1..]).filter(|text| text.len() == 5)?;
    let magnitude = Time::strptime("%H:%M", hours_and_minutes).ok()?;
    let magnitude = magnitude.duration_since(Time::midnight());
    Some((time, if offset.starts_with('-') { -magnitude } else { magnitude }))
}

/// The text, if it consists of ASCII digits and separators only.
fn digits_and(separator: u8, text: &str) -> Option<&str> {
    text.bytes().all(|b| b.is_ascii_digit() || b == separator).then_some(text)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<String> {
        parse_date(text).map(|date| date.to_string())
    }

    fn time(text: &str) -> Option<String> {
        parse_time(text).map(|time| time.to_string())
    }

    fn datetime(text: &str) -> Option<String> {
        parse_datetime(text).map(|at| at.to_string())
    }

    #[test]
    fn dates_are_normalised() {
        for (text, normal) in [
            ("2020-12-12", "2020-12-12"),
            ("2020-1-2", "2020-01-02"),
            ("2020-02-29", "2020-02-29"),
            ("1-1-1", "0001-01-01"),
            ("9999-12-31", "9999-12-31"),
        ] {
            assert_eq!(date(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn anything_but_a_date_is_refused() {
        for text in [
            "",
            "2020",
            "2020-12",
            "2020-12-12-99",
            "2019-02-29",
            "2020-13-01",
            "2020-00-01",
            "2020-04-31",
            "0000-01-01",
            "10000-01-01",
            " 2020 - 12 - 12 ",
            "2020-12-12 ",
            "2020-+1-12",
            "2020-012-12",
            "2020-1\u{0661}-12",
            "2020-12-1_2",
            "2020/12/12",
            "+2020-12-12",
            "-2020-12-12",
            " 2020-12-12",
            "2020- 1-12",
            "02020-12-12",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_normalised_and_bounded() {
        for (text, normal) in
            [("0:0:0", "00:00:00"), ("8:5:2", "08:05:02"), ("23:59:59", "23:59:59")]
        {
            assert_eq!(time(text).as_deref(), Some(normal), "{text}");
        }
        for text in [
            "",
            "20:50",
            "24:00:00",
            "20:60:00",
            "20:50:60",
            "20:50:12.5",
            "20:50:12:99",
            "-1:0:0",
            " 1:0:0",
            "1: 0:0",
            "001:0:0",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn datetimes_become_utc_without_a_fraction() {
        for (text, normal) in [
            ("2019-12-28T12:58:15", "2019-12-28T12:58:15"),
            ("2019-1-2T3:4:5", "2019-01-02T03:04:05"),
            ("2019-12-28T12:58:15.123456", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15.12345678901", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15Z", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15.5z", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15+02:00", "2019-12-28T10:58:15"),
            ("2019-12-31T23:30:00-01:30", "2020-01-01T01:00:00"),
        ] {
            assert_eq!(datetime(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn anything_but_a_datetime_is_refused() {
        for text in [
            "2019-12-28",
            "2019-12-28 12:58:15",
            "2019-02-30T12:58:15",
            "2019-12-28T12:58",
            "2019-12-28T12:58:15.",
            "2019-12-28T12:58:15.5.5",
            "2019-12-28T12:58:15+0200",
            "2019-12-28T12:58:15+24:00",
            "2019-12-28T12:58:15+02:60",
            "2019-12-28T12:58:15+2:000",
            "2019-12-28T12:58:15+ 2:00",
            "2019-12-28T12:58:60",
            "2019-12-28T12:58:15ZZ",
            "2019-12-28T12:58:15\n",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
