//! The pages for people: upcoming events, a search, one event, and a reminder of it.
//!
//! ```text
//! form    the search in the URL of a page
//! view    events prepared for display, and the templates
//! ```
//!
//! Everything except the reminder is plain HTML. A reminder is a notification, which the page's
//! script creates at the notifications service. No page loads anything from elsewhere, and its
//! policy forbids it.

mod form;
mod view;

use askama::Template;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rest::access::origins::Origin;
use rest::extension::{PageResponse, SelectError};
use rest::fields::FieldError;
use store::{ObjectId, Page, Store, StoreError, Tag};

use crate::search::{Results, search};
use form::Form;
use view::{Assets, EventPage, EventView, ListPage, NotFoundPage};

/// The events of one page.
const PAGE_SIZE: usize = 20;
/// The offset of the last time zone, UTC-12: an event is upcoming until its day is over
/// everywhere.
const LAST_TIME_ZONE: SignedDuration = SignedDuration::from_hours(12);

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/page.js");
const ICON: &str = include_str!("../../templates/page.svg");

/// The arguments about the pages.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Page")]
pub struct PageArgs {
    /// URL of the notifications service for browsers; without it, the pages offer no reminders
    #[arg(long, env = "NOTIFICATIONS_URL", value_name = "URL")]
    notifications_url: Option<RemindersUrl>,
}

/// The URL at which reminders are created.
#[derive(Debug, Clone)]
struct RemindersUrl {
    /// Without a slash at the end.
    url: String,
    origin: Origin,
}

impl std::str::FromStr for RemindersUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = Origin::of_base_url(text)
            .ok_or("must be a URL like https://notifications.example.org")?;
        Ok(Self { url: text.trim_end_matches('/').to_owned(), origin })
    }
}

/// The pages.
#[derive(Debug)]
pub(crate) struct Pages {
    reminders: Option<RemindersUrl>,
    /// Whether reminders are off because they would need a token.
    reminders_need_token: bool,
    assets: Assets,
    policy: HeaderValue,
}

impl Pages {
    /// Visitors can only create reminders where everybody may create notifications.
    pub(crate) fn new(args: &PageArgs, is_open: bool) -> Self {
        let reminders = args.notifications_url.clone().filter(|_| is_open);
        let reminders_need_token = args.notifications_url.is_some() && !is_open;
        let tag = |text: &str| format!("{:016x}", Tag::of(text.as_bytes()).0);
        let assets = Assets { css: tag(STYLE), js: tag(SCRIPT), svg: tag(ICON) };
        Self { policy: policy(reminders.as_ref()), reminders, reminders_need_token, assets }
    }

    /// Whether there is a page at a path.
    pub(crate) fn has(path: &str) -> bool {
        matches!(path, "/" | "/page.css" | "/page.js" | "/page.svg") || path.starts_with("/show/")
    }

    /// The page at a path.
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        path: &str,
        query: &str,
    ) -> Result<PageResponse, StoreError> {
        let Assets { css, js, svg } = &self.assets;
        Ok(match path {
            "/page.css" => asset("text/css; charset=utf-8", STYLE, query == css),
            "/page.js" => asset("text/javascript; charset=utf-8", SCRIPT, query == js),
            "/page.svg" => asset("image/svg+xml", ICON, query == svg),
            "/" => self.list(store, &Form::parse(query)).await?,
            _ => self.event(store, path.trim_start_matches("/show/")).await?,
        })
    }

    async fn list(&self, store: &dyn Store, form: &Form) -> Result<PageResponse, StoreError> {
        let today = today();
        let (results, problems) = match select(store, form, today).await {
            Ok(results) => (results.unwrap_or_default(), Vec::new()),
            Err(SelectError::Query(problems)) => (Results::default(), problems),
            Err(SelectError::NotFound) => return Ok(self.not_found()),
            Err(SelectError::Store(error)) => return Err(error),
        };
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let problems = problems.iter().map(view::problem).collect();
        let list = ListPage {
            assets: &self.assets,
            heading: if form.is_empty() { "Upcoming events" } else { "Search results" },
            empty_message: form.empty_message(today),
            earlier: form.earlier(today),
            form,
            problems,
            events: results.documents.iter().filter_map(EventView::of).collect(),
            next: results.next,
        };
        Ok(self.response(status, &list))
    }

    async fn event(&self, store: &dyn Store, id: &str) -> Result<PageResponse, StoreError> {
        let Ok(id) = id.parse::<ObjectId>() else { return Ok(self.not_found()) };
        let document = store.get(id).await?;
        let Some(event) = document.as_ref().and_then(EventView::of) else {
            return Ok(self.not_found());
        };
        let reminders = self.reminders.as_ref().map(|it| it.url.as_str());
        let (assets, reminders_need_token) = (&self.assets, self.reminders_need_token);
        let page = EventPage { assets, event, reminders, reminders_need_token };
        Ok(self.response(StatusCode::OK, &page))
    }

    fn not_found(&self) -> PageResponse {
        self.response(StatusCode::NOT_FOUND, &NotFoundPage { assets: &self.assets })
    }

    fn response(&self, status: StatusCode, page: &impl Template) -> PageResponse {
        // Rendering into a string cannot fail.
        let body = page.render().unwrap_or_default();
        PageResponse {
            status,
            media_type: "text/html; charset=utf-8",
            body: body.into(),
            immutable: false,
            content_security_policy: Some(self.policy.clone()),
        }
    }
}

/// The events of a page.
async fn select(
    store: &dyn Store,
    form: &Form,
    today: Date,
) -> Result<Option<Results>, SelectError> {
    let after = form.after().map_err(|message| {
        let message = message.to_owned();
        vec![FieldError { field: "after", message }]
    })?;
    search(store, &form.query(today), Page { after, limit: Some(PAGE_SIZE) }).await
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now() - LAST_TIME_ZONE).date()
}

fn asset(media_type: &'static str, text: &'static str, immutable: bool) -> PageResponse {
    let body = Bytes::from_static(text.as_bytes());
    let status = StatusCode::OK;
    PageResponse { status, media_type, body, immutable, content_security_policy: None }
}

/// The content security policy of a page: it may load and do nothing else.
fn policy(reminders: Option<&RemindersUrl>) -> HeaderValue {
    let mut policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
        .to_owned();
    if let Some(RemindersUrl { origin, .. }) = reminders {
        policy = format!("{policy}; script-src 'self'; connect-src {}", origin.as_str());
    }
    HeaderValue::try_from(policy).expect("an origin is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_reminders_is_validated() {
        let read = |text: &str| text.parse::<RemindersUrl>();
        let found = read("https://notes.example.org/api/").unwrap();
        assert_eq!(found.url, "https://notes.example.org/api");
        assert_eq!(found.origin.as_str(), "https://notes.example.org");
        for bad in ["", "notes.example.org", "ftp://a", "http://a/?b", "http://a/#b", "http://a;b"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_may_connect_to_nothing_but_the_reminders() {
        let text = |reminders: Option<&str>| {
            let reminders = reminders.map(|url| url.parse().unwrap());
            policy(reminders.as_ref()).to_str().unwrap().to_owned()
        };
        assert!(!text(None).contains("script-src"), "{}", text(None));
        let with = text(Some("http://a.org:81/x"));
        assert!(with.ends_with("; script-src 'self'; connect-src http://a.org:81"), "{with}");
    }
}
