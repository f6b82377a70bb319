//! Parses the query of a search.

use jiff::civil::{Date, DateTime};
use rest::ObjectId;
use rest::datetime;
use rest::fields::FieldError;
use rest::store::Page;

use super::fold::fold;
use super::index::{self, Key, number};

/// The limit of a search that does not name one.
const DEFAULT_LIMIT: usize = 1000;
/// The longest text to search for: no field of an event is longer.
const MAX_TEXT_LENGTH: usize = 400;

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// One of an event's topics, folded.
    pub(super) topic: Option<String>,
    /// The first day.
    pub(super) from: Option<Date>,
    /// The last day.
    pub(super) to: Option<Date>,
    /// A part of the place, folded.
    pub(super) place: Option<String>,
    /// A part of any of its texts, folded.
    pub(super) text: Option<String>,
    /// Whether the order is descending.
    pub(super) latest_first: bool,
    pub(super) limit: usize,
    /// Only events after this one, with its time if the query has it.
    pub(super) after: Option<(ObjectId, Option<i64>)>,
    /// The query without the parameters of the page.
    without_page: String,
}

impl Query {
    /// Parses a search; `None` if the query is not one.
    pub(super) fn parse(query: &str, page: Page) -> Result<Option<Self>, Vec<FieldError>> {
        let mut read = Self {
            topic: None,
            from: None,
            to: None,
            place: None,
            text: None,
            latest_first: false,
            limit: if page.limit == usize::MAX { DEFAULT_LIMIT } else { page.limit },
            after: page.after.map(|id| (id, None)),
            without_page: String::new(),
        };
        let mut problems = Vec::new();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "topic" => "topic",
                "from" => "from",
                "to" => "to",
                "place" => "place",
                "q" => "q",
                "order" => "order",
                "at" => "at",
                _ => continue,
            };
            // Forms send fields that are not filled in as empty ones.
            if value.is_empty() {
                continue;
            }
            let message = if seen.contains(&field) {
                Some("must be given only once".into())
            } else {
                read.set(field, &value).err()
            };
            seen.push(field);
            problems.extend(message.map(|message| FieldError { field, message }));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let others = query.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !name.is_empty() && !["limit", "after", "at"].contains(&name)
        });
        read.without_page = others.collect::<Vec<_>>().join("&");
        let searches = seen.iter().any(|field| *field != "at");
        Ok(searches.then_some(read))
    }

    fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        let date =
            || datetime::parse_date(value).ok_or_else(|| "must be a date as YYYY-MM-DD".to_owned());
        let text = || {
            let count = value.chars().count();
            let long = || format!("must have at most {MAX_TEXT_LENGTH} characters, not {count}");
            if count > MAX_TEXT_LENGTH { Err(long()) } else { Ok(Some(fold(value))) }
        };
        match field {
            "from" => self.from = Some(date()?),
            "to" => self.to = Some(date()?),
            "topic" => self.topic = text()?.map(|topic| topic.trim().to_owned()),
            "place" => self.place = text()?,
            "q" => self.text = text()?,
            "order" => match value {
                "asc" | "desc" => self.latest_first = value == "desc",
                _ => return Err("must be asc or desc".into()),
            },
            _ => {
                let time: Option<DateTime> = datetime::parse_datetime(value);
                let time = time.ok_or("must be the one in the link to this page")?;
                self.after = self.after.map(|(id, _)| (id, Some(number(time))));
            }
        }
        Ok(())
    }

    /// The query of the page that begins after an event.
    pub(super) fn next(&self, (at, id): Key) -> String {
        let at = index::datetime(at).map(|at| at.to_string()).unwrap_or_default();
        format!("{}&limit={}&after={id}&at={at}", self.without_page, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(query: &str) -> Vec<String> {
        let problems = Query::parse(query, Page::ALL).unwrap_err();
        problems.iter().map(|it| format!("{} {}", it.field, it.message)).collect()
    }

    #[test]
    fn searches_are_parsed() {
        let query = "topic=M%C3%BAsica&from=2026-1-2&q=two+words&place=&_=5";
        let read = Query::parse(query, Page { after: None, limit: 7 }).unwrap().unwrap();
        assert_eq!(read.topic.as_deref(), Some("musica"));
        assert_eq!(read.from, Some(jiff::civil::date(2026, 1, 2)));
        assert_eq!((read.text.as_deref(), &read.place), (Some("two words"), &None));
        let id: ObjectId = "5e0745fe9c1a2b3c4d5e6f70".parse().unwrap();
        let at = number(jiff::civil::date(2026, 3, 4).at(5, 6, 7, 0));
        let next = read.next((at, id));
        assert_eq!(
            next,
            "topic=M%C3%BAsica&from=2026-1-2&q=two+words&place=&_=5&limit=7\
             &after=5e0745fe9c1a2b3c4d5e6f70&at=2026-03-04T05:06:07"
        );
        let again = Query::parse(&next, Page { after: Some(id), limit: 7 }).unwrap().unwrap();
        assert_eq!(again.after, Some((id, Some(at))));
        assert_eq!(again.without_page, read.without_page);
        for nothing in ["", "limit=5", "q=&from=", "at=2026-01-01T00:00:00"] {
            assert_eq!(Query::parse(nothing, Page::ALL), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn every_invalid_parameter_is_named() {
        let date = "must be a date as YYYY-MM-DD";
        assert_eq!(
            problems("from=soon&to=2026-02-30"),
            [format!("from {date}"), format!("to {date}")]
        );
        assert_eq!(problems("q=a&q=b"), ["q must be given only once"]);
        assert_eq!(problems("order=DESC"), ["order must be asc or desc"]);
        let long = "x".repeat(401);
        assert_eq!(problems(&format!("q={long}")), ["q must have at most 400 characters, not 401"]);
    }
}
