//! The pages for people: upcoming events, a search, one event, and a reminder of it.
//!
//! ```text
//! settings  the settings of the pages, from the command line
//! form      the search in the URL of a page
//! event     an event, as it is shown
//! offer     the reminder that the page of an event offers
//! view      the templates
//! ```
//!
//! Everything except the reminder is plain HTML. A reminder is signed here; the page's script
//! asks the notifications service for it, which verifies the signature. No page loads anything
//! from elsewhere, and its policy forbids it.

mod event;
mod form;
mod offer;
mod settings;
mod view;

use askama::Template;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pages::{Assets, Frame, Language, html, policy};
use rest::extension::{PageKind, PageRequest, PageResponse, SelectError};
use rest::fields::FieldError;
use store::{ObjectId, Page, Store, StoreError};

use crate::search::{Results, search};
use event::EventView;
use form::Form;
use offer::Offer;
pub use settings::PageArgs;
use settings::PageSettings;
use view::{EventPage, ListPage, NotFoundPage};

/// The events of one page.
const PAGE_SIZE: usize = 20;
/// The offset of the last time zone, UTC-12: where the events' zone is not known, an event is
/// upcoming until its day is over everywhere.
const LAST_TIME_ZONE: SignedDuration = SignedDuration::from_hours(12);

const SCRIPT: &str = include_str!("../../templates/page.js");

/// The pages.
#[derive(Debug)]
pub(crate) struct Pages {
    settings: PageSettings,
    assets: Assets,
    /// The version of the script.
    script: String,
    policy: HeaderValue,
}

impl Pages {
    /// `is_open` is whether strangers may write events.
    pub(crate) fn new(args: &PageArgs, is_open: bool) -> Result<Self, String> {
        let settings = args.settings(is_open)?;
        let origin = settings.reminders.as_ref().map(|it| &it.notifications.origin);
        Ok(Self {
            policy: policy(origin),
            settings,
            assets: Assets::default(),
            script: Assets::version(SCRIPT),
        })
    }

    /// What there is at a path.
    pub(crate) fn kind(path: &str) -> Option<PageKind> {
        let is_page = path == "/" || path == "/page.js" || path.starts_with("/show/");
        (is_page || Assets::has(path)).then_some(PageKind::Page)
    }

    /// The page at a path.
    pub(crate) async fn get(
        &self,
        store: &dyn Store,
        request: PageRequest<'_>,
    ) -> Result<PageResponse, StoreError> {
        let PageRequest { path, query, languages } = request;
        if let Some(file) = self.assets.get(path, query) {
            return Ok(file);
        }
        let language = self.settings.language.of(languages);
        Ok(match path {
            "/page.js" => {
                Assets::file("text/javascript; charset=utf-8", SCRIPT, query == self.script)
            }
            "/" => self.list(store, &Form::parse(query), language).await?,
            _ => self.event(store, path.trim_start_matches("/show/"), language).await?,
        })
    }

    async fn list(
        &self,
        store: &dyn Store,
        form: &Form,
        language: Language,
    ) -> Result<PageResponse, StoreError> {
        let today = self.today(Timestamp::now());
        let (results, problems) = match select(store, form, today).await {
            Ok(results) => (results.unwrap_or_default(), Vec::new()),
            Err(SelectError::Query(problems)) => (Results::default(), problems),
            Err(SelectError::NotFound) => return Ok(self.not_found(language)),
            Err(SelectError::Store(error)) => return Err(error),
        };
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let texts = &language.texts().list;
        let problems = problems.iter().map(|it| view::problem(it, &texts.problems)).collect();
        let view = |document| EventView::of(document, language, self.settings.zone.as_ref());
        let list = ListPage {
            frame: self.frame(language),
            texts,
            heading: if form.is_empty() { &texts.upcoming } else { &texts.results },
            empty_message: form.empty_message(today, texts),
            earlier: form.earlier(today),
            form,
            problems,
            events: results.documents.iter().filter_map(view).collect(),
            next: results.next,
        };
        Ok(self.response(status, &list, language))
    }

    async fn event(
        &self,
        store: &dyn Store,
        id: &str,
        language: Language,
    ) -> Result<PageResponse, StoreError> {
        let Ok(id) = id.parse::<ObjectId>() else { return Ok(self.not_found(language)) };
        let document = store.get(id).await?;
        let zone = self.settings.zone.as_ref();
        let event = document.as_ref().and_then(|it| EventView::of(it, language, zone));
        let Some(event) = event else { return Ok(self.not_found(language)) };
        let page = EventPage {
            frame: self.frame(language),
            texts: &language.texts().event,
            script: &self.script,
            offer: Offer::of(&event, &self.settings, language),
            event,
        };
        Ok(self.response(StatusCode::OK, &page, language))
    }

    fn not_found(&self, language: Language) -> PageResponse {
        let page = NotFoundPage { frame: self.frame(language), texts: &language.texts().event };
        self.response(StatusCode::NOT_FOUND, &page, language)
    }

    fn frame(&self, language: Language) -> Frame<'_> {
        Frame::new(&self.assets, language, true)
    }

    fn response(
        &self,
        status: StatusCode,
        page: &impl Template,
        language: Language,
    ) -> PageResponse {
        // Rendering into a string cannot fail.
        let body = page.render().unwrap_or_default();
        let content_security_policy = Some(self.policy.clone());
        PageResponse { content_security_policy, ..html(status, body, language) }
    }

    /// The day on which a list of upcoming events begins.
    fn today(&self, now: Timestamp) -> Date {
        match &self.settings.zone {
            Some(zone) => zone.to_datetime(now).date(),
            None => TimeZone::UTC.to_datetime(now - LAST_TIME_ZONE).date(),
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
