//! The pages for people: upcoming events, a search, one event, and a reminder of it.
//!
//! ```text
//! form    a search, as a page's address has it
//! view    events prepared for display, and the templates
//! ```
//!
//! Everything but the reminder is plain HTML. A reminder is a notification, which the
//! page's script creates at the notifications service: no page loads anything from
//! elsewhere, nor may it.

mod form;
mod view;

use askama::Template;
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{StatusCode, Uri};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rest::ObjectId;
use rest::access::origins::Origin;
use rest::extension::{NoSelection, Selection, Shown};
use rest::fields::FieldError;
use rest::store::{Page, StoreError, Tag, blocking};

use crate::search::Search;
use form::Form;
use view::{Assets, Found, List, Missing, One};

/// Events on a page.
const LIMIT: usize = 20;
/// Today is over nowhere before it is in the last time zone, UTC-12.
const LAST_ZONE: SignedDuration = SignedDuration::from_hours(12);

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/page.js");
const ICON: &str = include_str!("../../templates/page.svg");

/// The page for people, at /
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Page")]
pub struct PageArgs {
    /// Where a browser finds the notifications service; without it, no reminders
    #[arg(long, env = "NOTIFICATIONS_URL", value_name = "URL")]
    notifications_url: Option<Reminders>,
}

/// Where reminders are made.
#[derive(Debug, Clone)]
struct Reminders {
    /// Without a slash at its end.
    url: String,
    origin: Origin,
}

impl std::str::FromStr for Reminders {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Option<Uri> = text.parse().ok();
        let url = url.filter(|url| url.query().is_none() && !text.contains('#'));
        let origin = url.as_ref().and_then(Origin::of);
        let origin = origin.ok_or("must be a URL like https://notifications.example.org")?;
        Ok(Self { url: text.trim_end_matches('/').to_owned(), origin })
    }
}

/// The pages.
#[derive(Debug)]
pub(crate) struct Pages {
    reminders: Option<Reminders>,
    /// Reminders are wanted, but making one would need a token.
    closed: bool,
    assets: Assets,
    policy: HeaderValue,
}

impl Pages {
    /// Only where everybody may make notifications, `open`, can a page's visitors be
    /// reminded.
    pub(crate) fn new(args: &PageArgs, open: bool) -> Self {
        let reminders = args.notifications_url.clone().filter(|_| open);
        let closed = args.notifications_url.is_some() && !open;
        let tag = |text: &str| format!("{:016x}", Tag::of(text.as_bytes()).0);
        let assets = Assets { css: tag(STYLE), js: tag(SCRIPT), svg: tag(ICON) };
        Self { policy: policy(reminders.as_ref()), reminders, closed, assets }
    }

    /// Whether there is something at a path.
    pub(crate) fn has(path: &str) -> bool {
        matches!(path, "/" | "/page.css" | "/page.js" | "/page.svg") || path.starts_with("/show/")
    }

    /// What there is at a path.
    pub(crate) async fn show(
        &self,
        search: &Search,
        path: &str,
        query: &str,
    ) -> Result<Shown, StoreError> {
        let Assets { css, js, svg } = &self.assets;
        Ok(match path {
            "/page.css" => asset("text/css; charset=utf-8", STYLE, query == css),
            "/page.js" => asset("text/javascript; charset=utf-8", SCRIPT, query == js),
            "/page.svg" => asset("image/svg+xml", ICON, query == svg),
            "/" => self.list(search, &Form::read(query)).await?,
            _ => self.event(search, path.trim_start_matches("/show/")).await?,
        })
    }

    async fn list(&self, search: &Search, form: &Form) -> Result<Shown, StoreError> {
        let today = today();
        let (selection, problems) = match look(search, form, today).await {
            Ok(selection) => (selection, Vec::new()),
            Err(NoSelection::Query(problems)) => (None, problems),
            Err(NoSelection::NotFound) => return Ok(self.missing()),
        };
        let Selection { ids, next, .. } = selection.unwrap_or_default();
        let reading = search.clone();
        let read = move || {
            let read = |id| Ok(reading.read(id)?.map(|event| Found::of(id, &event)));
            ids.into_iter().filter_map(|id| read(id).transpose()).collect()
        };
        let found: Vec<Found> = blocking(read).await?;
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let problems = problems.iter().map(view::problem).collect();
        let list = List {
            assets: &self.assets,
            heading: if form.is_empty() { "What is coming up" } else { "Events found" },
            nothing: form.nothing(today),
            earlier: form.earlier(today),
            form,
            problems,
            found,
            next,
        };
        Ok(self.shown(status, &list))
    }

    async fn event(&self, search: &Search, id: &str) -> Result<Shown, StoreError> {
        let Ok(id) = id.parse::<ObjectId>() else { return Ok(self.missing()) };
        let reading = search.clone();
        let Some(event) = blocking(move || reading.read(id)).await? else {
            return Ok(self.missing());
        };
        let event = Found::of(id, &event);
        let reminders = self.reminders.as_ref().map(|it| it.url.as_str());
        let page = One { assets: &self.assets, event, reminders, closed: self.closed };
        Ok(self.shown(StatusCode::OK, &page))
    }

    fn missing(&self) -> Shown {
        self.shown(StatusCode::NOT_FOUND, &Missing { assets: &self.assets })
    }

    fn shown(&self, status: StatusCode, page: &impl Template) -> Shown {
        // Only what cannot be written fails, and a string always can.
        let body = page.render().unwrap_or_default();
        Shown {
            status,
            kind: "text/html; charset=utf-8",
            body: body.into(),
            lasts: false,
            policy: Some(self.policy.clone()),
        }
    }
}

/// What a form asks for, a page of it.
async fn look(search: &Search, form: &Form, today: Date) -> Result<Option<Selection>, NoSelection> {
    let after = form.after().map_err(|message| {
        let message = message.to_owned();
        vec![FieldError { field: "after", message }]
    })?;
    search.select(&form.query(today), Page { after, limit: LIMIT }).await
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now() - LAST_ZONE).date()
}

fn asset(kind: &'static str, text: &'static str, lasts: bool) -> Shown {
    let body = Bytes::from_static(text.as_bytes());
    Shown { status: StatusCode::OK, kind, body, lasts, policy: None }
}

/// What a page may load and do: nothing but what is named here.
fn policy(reminders: Option<&Reminders>) -> HeaderValue {
    let mut policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        .to_owned();
    if let Some(Reminders { origin, .. }) = reminders {
        policy = format!("{policy}; script-src 'self'; connect-src {}", origin.as_str());
    }
    HeaderValue::try_from(policy).expect("an origin is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_reminders_are_made_is_a_url() {
        let read = |text: &str| text.parse::<Reminders>();
        let found = read("https://notes.example.org/api/").unwrap();
        assert_eq!(found.url, "https://notes.example.org/api");
        assert_eq!(found.origin.as_str(), "https://notes.example.org");
        for bad in ["", "notes.example.org", "ftp://a", "http://a/?b", "http://a/#b", "http://a;b"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_may_reach_nothing_but_the_reminders() {
        let text = |reminders: Option<&str>| {
            let reminders = reminders.map(|url| url.parse().unwrap());
            policy(reminders.as_ref()).to_str().unwrap().to_owned()
        };
        assert!(!text(None).contains("script-src"), "{}", text(None));
        let with = text(Some("http://a.org:81/x"));
        assert!(with.ends_with("; script-src 'self'; connect-src http://a.org:81"), "{with}");
    }
}
