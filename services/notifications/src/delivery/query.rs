//! Parses the query of a list or an item.

use std::borrow::Cow;

use rest::fields::FieldError;
use rest::store::Page;

use super::state::STATES;
use crate::parse_mail;

/// What is asked for, besides a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Those in this state.
    pub(super) state: Option<&'static str>,
    /// Those for this address.
    pub(super) to_mail: Option<String>,
    /// Each with its state.
    pub(super) described: bool,
}

impl Query {
    /// Reads a query. States can only be asked for where something is sent. Parameters of
    /// other names are other people's.
    pub(super) fn read(query: &str, sends: bool) -> Result<Self, Vec<FieldError>> {
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
                Some("must be given once".to_owned())
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
            "state" => {
                let state = STATES.into_iter().find(|word| *word == value);
                self.state = Some(state.ok_or_else(|| format!("must be {}", STATES.join(", ")))?);
            }
            "fields" if value == "state" => self.described = true,
            "fields" => return Err("must be state".into()),
            _ => {
                // A plus sign that nobody has encoded; no address has a space.
                let address = parse_mail(&value.replace(' ', "+"));
                self.to_mail = Some(address.ok_or("must be a mail address, like a@b.org")?);
            }
        }
        Ok(())
    }

    /// Whether it asks for anything.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The query of the page that begins after a notification.
    pub(super) fn next(&self, page: Page, last: rest::ObjectId) -> String {
        let state = self.state.map(|word| format!("state={word}&"));
        let to_mail = self.to_mail.as_ref().map(|mail| format!("to_mail={}&", encoded(mail)));
        let fields = self.described.then(|| "fields=state&".to_owned());
        let same: String = [to_mail, state, fields].into_iter().flatten().collect();
        format!("{same}limit={}&after={last}", page.limit)
    }
}

fn encoded(text: &str) -> Cow<'_, str> {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<Vec<_>>().concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(query: &str, sends: bool) -> Vec<String> {
        let problems = Query::read(query, sends).unwrap_err();
        problems.iter().map(|it| format!("{} {}", it.field, it.message)).collect()
    }

    #[test]
    fn queries_are_read_and_written_again() {
        let id: rest::ObjectId = "5e0745fe9c1a2b3c4d5e6f70".parse().unwrap();
        let page = Page { after: None, limit: 7 };
        for (query, address) in [("to_mail=a+b%40c.org", "a+b@c.org"), ("to_mail=a@b.c", "a@b.c")] {
            let read = Query::read(query, false).unwrap();
            assert_eq!(read.to_mail.as_deref(), Some(address));
            assert_eq!(Query::read(&read.next(page, id), false).unwrap(), read);
        }
        let read = Query::read("state=failed&fields=state&_=1", true).unwrap();
        assert_eq!((read.state, read.described), (Some("failed"), true));
        let next = "state=failed&fields=state&limit=7&after=5e0745fe9c1a2b3c4d5e6f70";
        assert_eq!(read.next(page, id), next);
        assert!(Query::read("limit=5&_=1", false).unwrap().is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let relay = "needs a mail relay, and none is configured";
        assert_eq!(
            problems("state=sent&fields=state&to_mail=", false),
            [
                format!("state {relay}"),
                format!("fields {relay}"),
                "to_mail must be a mail address, like a@b.org".to_owned()
            ]
        );
        let states = "state must be scheduled, sending, sent, failed, expired";
        assert_eq!(problems("state=lost&fields=all", true), [states, "fields must be state"]);
        assert_eq!(problems("to_mail=a@b.c&to_mail=a@b.c", true), ["to_mail must be given once"]);
    }
}
