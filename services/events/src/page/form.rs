//! Parses a search from the URL of a page. Without a first day, the search starts today, unless
//! its last day is in the past: then the latest events come first.

use form_urlencoded::Serializer;
use jiff::civil::Date;
use pages::ListTexts;
use store::ObjectId;

/// The fields of the search form, as they were filled in.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) q: String,
    pub(super) topic: String,
    pub(super) place: String,
    pub(super) from: String,
    pub(super) to: String,
    /// The event that the page begins after, and where that is in the order.
    after: String,
    at: String,
}

impl Form {
    /// Parses the query of a URL. If a field occurs twice, the last one counts.
    pub(super) fn parse(query: &str) -> Self {
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
        self.after.parse().map(Some).map_err(|_| "must be the one in the link to this page")
    }

    /// Whether the form is empty, and so asks for all upcoming events.
    pub(super) fn is_empty(&self) -> bool {
        self.q.is_empty() && !self.has_filters()
    }

    /// Whether any of the fields besides the text is filled in.
    pub(super) fn has_filters(&self) -> bool {
        ![&self.topic, &self.place, &self.from, &self.to].iter().all(|field| field.is_empty())
    }

    /// The query of the same search in the API.
    pub(super) fn query(&self, today: Date) -> String {
        let today = today.to_string();
        let from = if self.begins_today(&today) { &today } else { &self.from };
        let order = if from.is_empty() { "desc" } else { "" };
        let days = [("from", from.as_str()), ("to", &self.to), ("order", order)];
        let page = [("after", self.after.as_str()), ("at", &self.at)];
        serialized(self.fields().into_iter().chain(days).chain(page))
    }

    /// The query of the same search in past events, if this one begins today.
    pub(super) fn earlier(&self, today: Date) -> Option<String> {
        let begins = self.begins_today(&today.to_string());
        let first = self.after.is_empty() && self.to.is_empty();
        let yesterday = today.yesterday().ok()?.to_string();
        let past = [("to", yesterday.as_str())];
        (begins && first).then(|| serialized(self.fields().into_iter().chain(past)))
    }

    /// What the page says if no events are found.
    pub(super) fn empty_message(&self, today: Date, texts: &'static ListTexts) -> &'static str {
        match (self.is_empty(), self.begins_today(&today.to_string())) {
            (true, _) => &texts.none,
            (false, true) => &texts.no_upcoming_match,
            (false, false) => &texts.no_match,
        }
    }

    fn begins_today(&self, today: &str) -> bool {
        // Dates in ISO 8601 sort as texts; anything else is refused later.
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
    fn a_search_begins_today_unless_it_names_other_days() {
        for (query, expected) in [
            ("", "from=2026-11-24"),
            ("q=+Caf%C3%A9+&x=1", "q=Caf%C3%A9&from=2026-11-24"),
            ("to=2026-11-24", "from=2026-11-24&to=2026-11-24"),
            ("to=2026-11-23", "to=2026-11-23&order=desc"),
            ("from=2019-01-01&to=2019-12-31", "from=2019-01-01&to=2019-12-31"),
            ("from=2019-1-1", "from=2019-1-1"),
            ("topic=a%26b&after=x&at=y", "topic=a%26b&from=2026-11-24&after=x&at=y"),
        ] {
            assert_eq!(Form::parse(query).query(TODAY), expected, "{query}");
        }
    }

    #[test]
    fn past_events_are_one_link_away() {
        let earlier = |query: &str| Form::parse(query).earlier(TODAY);
        assert_eq!(earlier("q=a+b").as_deref(), Some("q=a+b&to=2026-11-23"));
        for query in ["to=2026-12-01", "from=2026-12-01", "after=5e0745fe9c1a2b3c4d5e6f70"] {
            assert_eq!(earlier(query), None, "{query}");
        }
    }

    #[test]
    fn a_page_begins_after_the_event_in_its_link() {
        assert_eq!(Form::parse("q=x").after(), Ok(None));
        assert!(Form::parse("after=5e0745fe9c1a2b3c4d5e6f70").after().unwrap().is_some());
        assert!(Form::parse("after=here").after().is_err());
    }
}
