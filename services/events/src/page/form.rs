//! Reads a search from the address of a page. Without a first day, the search starts today,
//! unless its last day is in the past: then the latest events come first.

use form_urlencoded::Serializer;
use jiff::civil::Date;
use rest::ObjectId;
use rest::datetime;

/// The fields of the form, as they were filled in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) q: String,
    pub(super) topic: String,
    pub(super) place: String,
    pub(super) from: String,
    pub(super) to: String,
    /// Where the page begins, of the link to it.
    after: String,
    at: String,
}

impl Form {
    /// Reads an address's query. Of a field that is there twice the last one counts.
    pub(super) fn read(query: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "q" => &mut form.q,
                "topic" => &mut form.topic,
                "place" => &mut form.place,
                "from" => &mut form.from,
                "to" => &mut form.to,
                "after" => &mut form.after,
                "at" => &mut form.at,
                _ => continue,
            };
            value.trim().clone_into(field);
        }
        form
    }

    /// The event that the page begins after.
    pub(super) fn after(&self) -> Result<Option<ObjectId>, &'static str> {
        if self.after.is_empty() {
            return Ok(None);
        }
        self.after.parse().map(Some).map_err(|_| "must be as the link to this page has it")
    }

    /// Whether nothing is asked for but what is coming up.
    pub(super) fn is_empty(&self) -> bool {
        self.q.is_empty() && !self.has_more()
    }

    /// Whether any of the fields is filled in that few need.
    pub(super) fn has_more(&self) -> bool {
        ![&self.topic, &self.place, &self.from, &self.to].iter().all(|field| field.is_empty())
    }

    /// The search, as the API takes it.
    pub(super) fn query(&self, today: Date) -> String {
        let today = datetime::format_date(today);
        let from = if self.begins_today(&today) { &today } else { &self.from };
        let order = if from.is_empty() { "desc" } else { "" };
        let days = [("from", from.as_str()), ("to", &self.to), ("order", order)];
        let page = [("after", self.after.as_str()), ("at", &self.at)];
        serialized(self.fields().into_iter().chain(days).chain(page))
    }

    /// The same search among what is over, where this one begins today.
    pub(super) fn earlier(&self, today: Date) -> Option<String> {
        let begins = self.begins_today(&datetime::format_date(today));
        let first = self.after.is_empty() && self.to.is_empty();
        let yesterday = datetime::format_date(today.yesterday().ok()?);
        let over = [("to", yesterday.as_str())];
        (begins && first).then(|| serialized(self.fields().into_iter().chain(over)))
    }

    /// What is said where nothing is found.
    pub(super) fn nothing(&self, today: Date) -> &'static str {
        match (self.is_empty(), self.begins_today(&datetime::format_date(today))) {
            (true, _) => "Nothing is coming up.",
            (false, true) => "No upcoming events match your search.",
            (false, false) => "No events match your search.",
        }
    }

    fn begins_today(&self, today: &str) -> bool {
        // As they are written, days are ordered as texts are; what is no day is refused later.
        self.from.is_empty() && (self.to.is_empty() || *self.to >= *today)
    }

    fn fields(&self) -> [(&'static str, &str); 3] {
        [("q", &self.q), ("topic", &self.topic), ("place", &self.place)]
    }
}

fn serialized<'a>(pairs: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let filled = pairs.filter(|(_, value)| !value.is_empty());
    Serializer::new(String::new()).extend_pairs(filled).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 24);

    #[test]
    fn a_search_begins_today_unless_it_is_of_other_days() {
        for (query, asked) in [
            ("", "from=2026-11-24"),
            ("q=+Caf%C3%A9+&x=1", "q=Caf%C3%A9&from=2026-11-24"),
            ("to=2026-11-24", "from=2026-11-24&to=2026-11-24"),
            ("to=2026-11-23", "to=2026-11-23&order=desc"),
            ("from=2019-01-01&to=2019-12-31", "from=2019-01-01&to=2019-12-31"),
            ("from=2019-1-1", "from=2019-1-1"),
            ("topic=a%26b&after=x&at=y", "topic=a%26b&from=2026-11-24&after=x&at=y"),
        ] {
            assert_eq!(Form::read(query).query(TODAY), asked, "{query}");
        }
    }

    #[test]
    fn what_is_over_is_a_link_away() {
        let earlier = |query: &str| Form::read(query).earlier(TODAY);
        assert_eq!(earlier("q=a+b").as_deref(), Some("q=a+b&to=2026-11-23"));
        for query in ["to=2026-12-01", "from=2026-12-01", "after=5e0745fe9c1a2b3c4d5e6f70"] {
            assert_eq!(earlier(query), None, "{query}");
        }
    }

    #[test]
    fn a_page_begins_where_its_link_says() {
        assert_eq!(Form::read("q=x").after(), Ok(None));
        assert!(Form::read("after=5e0745fe9c1a2b3c4d5e6f70").after().unwrap().is_some());
        assert!(Form::read("after=here").after().is_err());
    }
}
