//! Parses the query of a search.

use jiff::civil::{Date, Time};
use rest::datetime;
use rest::fields::FieldError;
use store::words::{fold, words};
use store::{Cursor, Page, Search};

use super::facts::seconds;

/// The limit of a search that does not name one.
const DEFAULT_LIMIT: usize = 1000;
/// The longest text to search for: no field of an event is longer.
const MAX_TEXT_LENGTH: usize = 400;
/// The last second of a day.
const LAST_SECOND: Time = Time::constant(23, 59, 59, 0);

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    search: Search,
    /// Whether one of its texts has no word, so that no event matches it.
    matches_nothing: bool,
    /// The query without the parameters of the page.
    without_page: String,
}

impl Query {
    /// Parses a search; `None` if the query is not one.
    pub(super) fn parse(query: &str, page: Page) -> Result<Option<Self>, Vec<FieldError>> {
        let search = Search {
            limit: page.limit.unwrap_or(DEFAULT_LIMIT),
            after: page.after.map(|id| Cursor { id, key: None }),
            ..Search::default()
        };
        let without_page = without_page(query);
        let mut read = Self { search, matches_nothing: false, without_page };
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
            let is_text = ["topic", "place", "q"].contains(&field);
            let value = if is_text { value.trim() } else { &*value };
            // Forms send fields that are not filled in as empty ones.
            if value.is_empty() {
                continue;
            }
            let message = if seen.contains(&field) {
                Some("must be given only once".into())
            } else {
                read.set(field, value).err()
            };
            seen.push(field);
            problems.extend(message.map(|message| FieldError { field, message }));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let searches = seen.iter().any(|field| *field != "at");
        Ok(searches.then_some(read))
    }

    fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        match field {
            "from" => self.search.from = Some(seconds(day(value)?, Time::MIN)),
            "to" => self.search.to = Some(seconds(day(value)?, LAST_SECOND)),
            "topic" => self.search.topic = Some(fold(bounded(value)?)),
            "place" => self.search.place = self.words(value)?,
            "q" => self.search.words = self.words(value)?,
            "order" => match value {
                "asc" | "desc" => self.search.latest_first = value == "desc",
                _ => return Err("must be asc or desc".into()),
            },
            _ => {
                let key = key(value).ok_or("must be the one in the link to this page")?;
                self.search.after = self.search.after.map(|it| Cursor { key: Some(key), ..it });
            }
        }
        Ok(())
    }

    /// The words of a text that is searched for. Operators and quotes only separate them.
    fn words(&mut self, text: &str) -> Result<Vec<String>, String> {
        let words: Vec<_> = words(bounded(text)?).collect();
        self.matches_nothing |= words.is_empty();
        Ok(words)
    }

    /// What to ask the store for; `None` if no event matches the query.
    pub(super) fn search(&self) -> Option<Search> {
        (!self.matches_nothing).then(|| self.search.clone())
    }

    /// The query of the page that begins after an event.
    pub(super) fn next(&self, Cursor { id, key }: Cursor) -> String {
        let at = key.map(|key| format!("&at={key}")).unwrap_or_default();
        format!("{}&limit={}&after={id}{at}", self.without_page, self.search.limit)
    }
}

fn day(text: &str) -> Result<Date, String> {
    datetime::parse_date(text).ok_or_else(|| "must be a date as YYYY-MM-DD".to_owned())
}

fn bounded(text: &str) -> Result<&str, String> {
    let count = text.chars().count();
    if count > MAX_TEXT_LENGTH {
        return Err(format!("must have at most {MAX_TEXT_LENGTH} characters, not {count}"));
    }
    Ok(text)
}

/// Parses a position as links have it: `i64::from_str` also accepts a plus sign.
fn key(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn without_page(query: &str) -> String {
    let others = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !name.is_empty() && !["limit", "after", "at"].contains(&name)
    });
    others.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use rest::ObjectId;

    use super::*;

    fn parsed(query: &str) -> Query {
        Query::parse(query, Page::ALL).unwrap().unwrap()
    }

    fn problems(query: &str) -> Vec<String> {
        let problems = Query::parse(query, Page::ALL).unwrap_err();
        problems.iter().map(|it| format!("{} {}", it.field, it.message)).collect()
    }

    #[test]
    fn searches_are_parsed() {
        let query = "topic=+M%C3%BAsica+&from=1970-1-2&to=1970-01-02&q=Two+W%C3%B6rds\
            &place=&order=desc&_=5";
        let read = Query::parse(query, Page { after: None, limit: Some(7) }).unwrap().unwrap();
        let expected = Search {
            words: vec!["two".into(), "words".into()],
            topic: Some("musica".into()),
            from: Some(86_400),
            to: Some(2 * 86_400 - 1),
            latest_first: true,
            limit: 7,
            ..Search::default()
        };
        assert_eq!(read.search(), Some(expected));
        assert_eq!(parsed("q=a").search().unwrap().limit, 1000);
        for nothing in ["", "limit=5", "q=&from=", "q=+&place=%09&topic=%C2%A0", "at=5"] {
            assert_eq!(Query::parse(nothing, Page::ALL), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn the_next_page_continues_the_same_search() {
        let read = parsed("q=two+words&limit=7&place=&_=5");
        let id: ObjectId = "5e0745fe9c1a2b3c4d5e6f70".parse().unwrap();
        for key in [None, Some(-62_135_596_800 << 20), Some(7)] {
            let next = read.next(Cursor { id, key });
            let at = key.map(|key| format!("&at={key}")).unwrap_or_default();
            let expected = "q=two+words&place=&_=5&limit=1000&after=5e0745fe9c1a2b3c4d5e6f70";
            assert_eq!(next, format!("{expected}{at}"));
            let page = Page { after: Some(id), limit: Some(1000) };
            let following = Query::parse(&next, page).unwrap().unwrap();
            assert_eq!(following.search.after, Some(Cursor { id, key }));
            assert_eq!(following.search.words, read.search.words);
            assert_eq!(following.without_page, read.without_page);
        }
        assert_eq!(parsed("q=a&at=7").search.after, None, "it is not known after which event");
    }

    #[test]
    fn operators_and_quotes_are_text() {
        let words = |query: &str| parsed(query).search().unwrap().words;
        assert_eq!(words("q=NEAR(a%2Cb)+OR+%22c%22*"), ["near", "a", "b", "or", "c"]);
        assert_eq!(words("q=title%3Arock%26roll"), ["title", "rock", "roll"]);
        assert_eq!(parsed("place=-caf%C3%A9'").search().unwrap().place, ["cafe"]);
        let topic = parsed("topic=%22Rock+%26+Roll%22*").search().unwrap().topic;
        assert_eq!(topic.as_deref(), Some("\"rock & roll\"*"));
    }

    #[test]
    fn a_text_without_words_matches_nothing() {
        for query in ["q=*", "place=%22%22", "q=a&place=-", "q=%F0%9F%8E%89", "q=%CC%81"] {
            assert_eq!(parsed(query).search(), None, "{query}");
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
        for at in ["2026-01-01T00:00:00", "%2B5", "+5", "5.0", "9223372036854775808"] {
            let problem = "at must be the one in the link to this page";
            assert_eq!(problems(&format!("q=a&at={at}")), [problem], "{at}");
        }
        let long = "x".repeat(401);
        for field in ["q", "place", "topic"] {
            let problem = format!("{field} must have at most 400 characters, not 401");
            assert_eq!(problems(&format!("{field}={long}")), [problem]);
        }
        assert!(Query::parse(&format!("q={}", &long[1..]), Page::ALL).is_ok());
    }
}
