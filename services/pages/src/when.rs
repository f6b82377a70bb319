//! Times, as people write them.

use jiff::civil::DateTime;

use crate::Language;
use crate::texts::fill;

/// A day and a time, in words.
pub fn when(time: DateTime, language: Language) -> String {
    let texts = language.texts();
    let name = |names: &[String], index: i8| {
        let index = usize::try_from(index).unwrap_or_default();
        names.get(index).cloned().unwrap_or_default()
    };
    let weekday = name(&texts.weekdays, time.weekday().to_monday_zero_offset());
    let month = name(&texts.months, time.month() - 1);
    let (day, year) = (time.day().to_string(), time.year().to_string());
    let clock = time.strftime("%H:%M").to_string();
    fill(
        &texts.date_and_time,
        &[
            ("weekday", &weekday),
            ("day", &day),
            ("month", &month),
            ("year", &year),
            ("time", &clock),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_each_language_does() {
        let time = jiff::civil::datetime(2026, 12, 24, 19, 5, 0, 0);
        assert_eq!(when(time, Language::English), "Thursday, 24 December 2026, 19:05");
        assert_eq!(when(time, Language::Spanish), "jueves, 24 de diciembre de 2026, 19:05");
    }
}
