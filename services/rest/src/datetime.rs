//! Parses and formats dates and times as the API reads and writes them. Numbers may be unpadded
//! on input and are padded on output; any other text around them is refused.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, civil};

/// Years that the first EventPost could store (Python's `datetime`).
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

/// Reads `YYYY-MM-DD`, unpadded or not: `2020-1-2` is the second of January.
pub fn parse_date(text: &str) -> Option<Date> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    YEARS.contains(&date.year()).then_some(date)
}

/// Reads `HH:MM:SS`, unpadded or not, from 00:00:00 to 23:59:59.
pub fn parse_time(text: &str) -> Option<Time> {
    let [hour, minute, second] = numbers(text, ':', [2, 2, 2])?;
    let part = |number: i16| i8::try_from(number).ok();
    Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()
}

/// Reads `YYYY-MM-DDTHH:MM:SS`. A fraction of a second is dropped; `Z` or an
/// offset as RFC 3339 writes it (`+02:00`) turns the time into UTC.
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

/// `YYYY-MM-DD`.
pub fn format_date(date: civil::Date) -> String {
    let mut text = String::with_capacity(10);
    let year = date.year().unsigned_abs();
    digits(&mut text, year / 100);
    digits(&mut text, year % 100);
    for part in [date.month(), date.day()] {
        text.push('-');
        digits(&mut text, part.unsigned_abs().into());
    }
    text
}

/// `HH:MM:SS`.
pub fn format_time(time: civil::Time) -> String {
    let mut text = String::with_capacity(8);
    digits(&mut text, time.hour().unsigned_abs().into());
    for part in [time.minute(), time.second()] {
        text.push(':');
        digits(&mut text, part.unsigned_abs().into());
    }
    text
}

/// `YYYY-MM-DDTHH:MM:SS`.
pub fn format_datetime(at: civil::DateTime) -> String {
    [format_date(at.date()), format_time(at.time())].join("T")
}

/// Two digits of a number below 100.
fn digits(text: &mut String, number: u16) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from(b"0123456789"[usize::from(digit)]));
    }
}

/// Splits off `Z` or `±HH:MM`; without either the time is UTC already.
fn split_offset(text: &str) -> Option<(&str, SignedDuration)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, SignedDuration::ZERO));
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, SignedDuration::ZERO));
    };
    let (time, offset) = text.split_at(at);
    let (hours, minutes) = offset[1..].split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset_from_utc = SignedDuration::from_mins(i64::from(hours * 60 + minutes));
    Some((time, if offset.starts_with('-') { -offset_from_utc } else { offset_from_utc }))
}

/// Exactly three numbers, of at most so many digits each.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i16; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (found, most) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() <= most)?;
        *found = number(part)?;
    }
    parts.next().is_none().then_some(found)
}

fn number(text: &str) -> Option<i16> {
    is_number(text).then(|| text.parse().ok())?
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<String> {
        parse_date(text).map(format_date)
    }

    fn time(text: &str) -> Option<String> {
        parse_time(text).map(format_time)
    }

    fn datetime(text: &str) -> Option<String> {
        parse_datetime(text).map(format_datetime)
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
    fn what_is_no_date_is_refused() {
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
        for text in
            ["", "20:50", "24:00:00", "20:60:00", "20:50:60", "20:50:12.5", "20:50:12:99", "-1:0:0"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn datetimes_become_utc_without_a_fraction() {
        for (text, normal) in [
            ("2019-12-28T12:58:15", "2019-12-28T12:58:15"),
            ("2019-1-2T3:4:5", "2019-01-02T03:04:05"),
            ("2019-12-28T12:58:15.123456", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15Z", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15.5z", "2019-12-28T12:58:15"),
            ("2019-12-28T12:58:15+02:00", "2019-12-28T10:58:15"),
            ("2019-12-31T23:30:00-01:30", "2020-01-01T01:00:00"),
        ] {
            assert_eq!(datetime(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn what_is_no_datetime_is_refused() {
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
            "2019-12-28T12:58:15ZZ",
            "2019-12-28T12:58:15\n",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(datetime(text), None, "{text}");
        }
    }
}
