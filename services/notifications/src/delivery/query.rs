//! Parses the queries of lists, of one notification and of a retry of all.

use std::borrow::Cow;

use rest::fields::FieldError;
use store::{ObjectId, StateName};

use crate::parse_mail;

/// What a query asks for, besides a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Notifications in this state.
    pub(super) state: Option<StateName>,
    /// Notifications for this address.
    pub(super) to_mail: Option<String>,
    /// Whether each is to have its state.
    pub(super) with_state: bool,
}

impl Query {
    /// Parses a query. Only a service that sends mails, `sends`, knows states. Other parameters
    /// are ignored.
    pub(super) fn parse(query: &str, sends: bool) -> Result<Self, Vec<FieldError>> {
        let mut read = Self::default();
        let mut problems = Vec::new();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match &*name {
                "state" => "state",
                "fields" => "fields",
                "to_mail" => "to_mail",
                _ => continue,
            };
            let message = if seen.contains(&field) {
                Some("must be given only once".to_owned())
            } else if field != "to_mail" && !sends {
                Some("needs a mail relay, and none is configured".to_owned())
            } else {
                read.set(field, &value).err()
            };
            seen.push(field);
            problems.extend(message.map(|message| FieldError { field, message }));
        }
        if problems.is_empty() { Ok(read) } else { Err(problems) }
    }

    fn set(&mut self, field: &str, value: &str) -> Result<(), String> {
        match field {
            "state" => self.state = Some(value.parse()?),
            "fields" if value == "state" => self.with_state = true,
            "fields" => return Err("must be state".into()),
            _ => {
                // A plus sign that was not encoded; no address has a space.
                let address = parse_mail(&value.replace(' ', "+"));
                self.to_mail = Some(address.ok_or("must be an email address, like a@b.org")?);
            }
        }
        Ok(())
    }

    /// Whether it asks for nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The query of the page that begins after a notification.
    pub(super) fn next(&self, limit: usize, last: ObjectId) -> String {
        let state = self.state.map(|state| format!("state={}&", state.as_str()));
        let to_mail = self.to_mail.as_ref().map(|mail| format!("to_mail={}&", encoded(mail)));
        let fields = self.with_state.then(|| "fields=state&".to_owned());
        let same: String = [to_mail, state, fields].into_iter().flatten().collect();
        format!("{same}limit={limit}&after={last}")
    }
}

/// Parses the query of a retry of all: the state of those that are retried.
pub(super) fn parse_retry(query: &str) -> Result<StateName, Vec<FieldError>> {
    let mut state = None;
    let mut problems = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let (field, message) = match &*name {
            "state" if state.is_some() => ("state", "must be given only once"),
            "state" => {
                state = Some(value);
                continue;
            }
            // Ignored, they would let more be retried than is meant.
            "to_mail" => ("to_mail", "does not select what is retried"),
            "limit" => ("limit", "does not select what is retried"),
            "after" => ("after", "does not select what is retried"),
            _ => continue,
        };
        problems.push(FieldError { field, message: message.into() });
    }
    let state = state.as_deref().and_then(|state| state.parse().ok());
    let state = state.filter(|state| matches!(state, StateName::Failed | StateName::Expired));
    if state.is_none() {
        problems.push(FieldError { field: "state", message: "must be failed or expired".into() });
    }
    state.filter(|_| problems.is_empty()).ok_or(problems)
}

/// What is asked for about an address that may be suppressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SuppressionQuery {
    pub(super) to_mail: String,
    /// Whether it is to be; none if that is only to be told.
    pub(super) set: Option<bool>,
}

/// Parses the query of a suppression.
pub(super) fn parse_suppression(query: &str) -> Result<SuppressionQuery, Vec<FieldError>> {
    let (mut to_mail, mut set, mut problems) = (None, None, Vec::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("to_mail", value) => to_mail = parse_mail(&value.replace(' ', "+")),
            ("set", "on") => set = Some(true),
            ("set", "off") => set = Some(false),
            ("set", _) => {
                problems.push(FieldError { field: "set", message: "must be on or off".into() });
            }
            _ => {}
        }
    }
    if to_mail.is_none() {
        let message = "must be an email address, like a@b.org".into();
        problems.push(FieldError { field: "to_mail", message });
    }
    let query = to_mail.map(|to_mail| SuppressionQuery { to_mail, set });
    query.filter(|_| problems.is_empty()).ok_or(problems)
}

fn encoded(text: &str) -> Cow<'_, str> {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<Vec<_>>().concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suppression_names_an_address_and_may_set_it() {
        let parsed = |query| parse_suppression(query).map(|it| (it.to_mail, it.set));
        assert_eq!(parsed("to_mail=a+b@c.org"), Ok(("a+b@c.org".into(), None)));
        assert_eq!(parsed("to_mail=a@b.org&set=on"), Ok(("a@b.org".into(), Some(true))));
        assert_eq!(parsed("set=off&to_mail=a@b.org"), Ok(("a@b.org".into(), Some(false))));
        assert_eq!(parsed("to_mail=a&set=maybe").unwrap_err().len(), 2);
    }

    fn problems(query: &str, sends: bool) -> Vec<String> {
        let problems = Query::parse(query, sends).unwrap_err();
        problems.iter().map(|it| format!("{} {}", it.field, it.message)).collect()
    }

    #[test]
    fn queries_are_parsed_and_formatted() {
        let id: ObjectId = "5e0745fe9c1a2b3c4d5e6f70".parse().unwrap();
        for (query, address) in [("to_mail=a+b%40c.org", "a+b@c.org"), ("to_mail=a@b.c", "a@b.c")] {
            let read = Query::parse(query, false).unwrap();
            assert_eq!(read.to_mail.as_deref(), Some(address));
            assert_eq!(Query::parse(&read.next(7, id), false).unwrap(), read);
        }
        let read = Query::parse("state=failed&fields=state&_=1", true).unwrap();
        assert_eq!((read.state, read.with_state), (Some(StateName::Failed), true));
        let next = "state=failed&fields=state&limit=7&after=5e0745fe9c1a2b3c4d5e6f70";
        assert_eq!(read.next(7, id), next);
        assert!(Query::parse("limit=5&_=1", false).unwrap().is_empty());
    }

    #[test]
    fn every_invalid_parameter_is_named() {
        let relay = "needs a mail relay, and none is configured";
        assert_eq!(
            problems("state=sent&fields=state&to_mail=", false),
            [
                format!("state {relay}"),
                format!("fields {relay}"),
                "to_mail must be an email address, like a@b.org".to_owned()
            ]
        );
        let states = "state must be scheduled, sending, sent, failed, expired";
        assert_eq!(problems("state=lost&fields=all", true), [states, "fields must be state"]);
        assert_eq!(
            problems("to_mail=a@b.c&to_mail=a@b.c", true),
            ["to_mail must be given only once"]
        );
    }

    #[test]
    fn a_retry_of_all_needs_a_state_that_was_given_up() {
        assert_eq!(parse_retry("_=1&state=failed"), Ok(StateName::Failed));
        assert_eq!(parse_retry("state=expired"), Ok(StateName::Expired));
        let state = "state must be failed or expired";
        for (query, expected) in [
            ("", vec![state]),
            ("state=sent", vec![state]),
            ("state=lost", vec![state]),
            ("state=failed&state=expired", vec!["state must be given only once"]),
            (
                "to_mail=a@b.c&limit=1",
                vec![
                    "to_mail does not select what is retried",
                    "limit does not select what is retried",
                    state,
                ],
            ),
            ("state=failed&after=", vec!["after does not select what is retried"]),
        ] {
            let problems = parse_retry(query).unwrap_err();
            let problems: Vec<_> =
                problems.iter().map(|it| format!("{} {}", it.field, it.message)).collect();
            assert_eq!(problems, expected, "{query}");
        }
    }
}
