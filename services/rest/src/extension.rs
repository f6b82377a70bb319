//! What a service can do besides storing resources: an [`Extension`] selects resources for lists,
//! and adds fields, actions and pages of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use store::{ObjectId, Page, Statistics, Store, StoreError};

use crate::fields::FieldError;
use crate::json::ObjectWriter;
use crate::writes::WriteGate;

/// What a service does besides storing.
pub trait Extension: Sized + Send + Sync + 'static {
    /// Its arguments on the command line.
    type Args: clap::Args;

    /// The names of its actions on a resource: `POST /{collection}/{id}/{action}`.
    const ACTIONS: &'static [&'static str] = &[];

    /// The names of its actions on all resources: `POST /{collection}/{action}`.
    const COLLECTION_ACTIONS: &'static [&'static str] = &[];

    /// Checks the arguments, before the data are touched. The error is shown after the service's
    /// name.
    fn check(_args: &Self::Args) -> Result<(), String> {
        Ok(())
    }

    /// Starts the extension, within the service's runtime and before the first request. The
    /// error is shown after the service's name.
    fn start(args: &Self::Args, context: ExtensionContext) -> Result<Self, String>;

    /// A document was written, and what follows from it. Something may be due earlier now.
    fn written(&self) {}

    /// Selects the documents that the query of a list asks for. `None` if the query is for
    /// the API alone.
    fn select(
        &self,
        _query: &str,
        _page: Page,
    ) -> impl Future<Output = Result<Option<Selection>, SelectError>> + Send {
        async { Ok(None) }
    }

    /// Whether the query of one resource asks for [`Self::extended`].
    fn wants_extended(&self, _query: &str) -> Result<bool, Vec<FieldError>> {
        Ok(false)
    }

    /// A document with what the extension knows of it; `None` if there is no such document.
    fn extended(
        &self,
        _id: ObjectId,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send {
        async { Ok(None) }
    }

    /// Runs one of the actions on a resource.
    fn run_action(
        &self,
        _id: ObjectId,
        _action: &str,
    ) -> impl Future<Output = Result<ActionOutcome, StoreError>> + Send {
        async { Ok(ActionOutcome::NotFound) }
    }

    /// Runs one of the actions on all resources that the query selects. Returns the answer's
    /// body, as JSON.
    fn run_on_all(
        &self,
        _action: &str,
        _query: &str,
    ) -> impl Future<Output = Result<Bytes, ActionError>> + Send {
        async { Err(ActionError::Refused("There is no such action.")) }
    }

    /// What there is for people at a path that the API does not know.
    fn page_kind(_path: &str) -> Option<PageKind> {
        None
    }

    /// Whether the page at such a path shows what a search has found.
    fn is_search(_path: &str) -> bool {
        false
    }

    /// The page at such a path.
    fn page(
        &self,
        _request: PageRequest<'_>,
    ) -> impl Future<Output = Result<PageResponse, StoreError>> + Send {
        async { Ok(PageResponse::default()) }
    }

    /// Takes what was sent to such a path.
    fn submit(
        &self,
        _request: PageRequest<'_>,
        _body: Bytes,
    ) -> impl Future<Output = Result<PageResponse, SubmitError>> + Send {
        async { Err(SubmitError::Refused("There is no such form.")) }
    }

    /// Adds the state of the extension to `/readyz`.
    fn write_status(&self, _statistics: &Statistics, _out: &mut ObjectWriter<'_>) {}

    /// Stops with the service, after the work in progress.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What an extension works with.
#[derive(Debug, Clone)]
pub struct ExtensionContext {
    /// The documents, and what follows from them.
    pub store: Arc<dyn Store>,
    /// Whether writes are accepted.
    pub writes: Arc<WriteGate>,
    /// Whether strangers, who reach the service from other machines, may write.
    pub is_open: bool,
}

/// The documents of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The documents as they are sent, in order.
    pub documents: Vec<Bytes>,
    /// The query of the next page, if there is one.
    pub next: Option<String>,
}

/// Why nothing can be selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectError {
    /// The query is not valid.
    Query(Vec<FieldError>),
    /// The page is to begin after a document that does not exist.
    NotFound,
    /// The store failed.
    Store(StoreError),
}

impl From<Vec<FieldError>> for SelectError {
    fn from(problems: Vec<FieldError>) -> Self {
        Self::Query(problems)
    }
}

impl From<StoreError> for SelectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What there is for people at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// A page, or a file that it loads.
    Page,
    /// A page with a form that is sent to the same path. The query may hold a secret.
    Form,
    /// What pages send their forms to. Each one sends a mail.
    Submission,
}

/// A request for a page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The path.
    pub path: &'a str,
    /// The query.
    pub query: &'a str,
    /// The languages that the client prefers (`Accept-Language`).
    pub languages: &'a str,
}

/// Why what was sent was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// Fields are not valid.
    Fields(Vec<FieldError>),
    /// The state of the service does not allow it; the reason, as a sentence.
    Refused(&'static str),
    /// Too much was sent. How long nothing else is taken.
    TooMany(Duration),
    /// The store failed.
    Store(StoreError),
}

impl From<Vec<FieldError>> for SubmitError {
    fn from(problems: Vec<FieldError>) -> Self {
        Self::Fields(problems)
    }
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How long browsers may keep a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Caching {
    /// As long as the service says that it has not changed.
    #[default]
    Revalidated,
    /// For ever: what is under this URL never changes.
    Forever,
    /// Not at all.
    Never,
}

/// A page for people, or a file that it loads.
#[derive(Debug, Clone, Default)]
pub struct PageResponse {
    /// The status of the answer.
    pub status: StatusCode,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// How long browsers may keep it.
    pub caching: Caching,
    /// The tag of its language, if the client's preferences have chosen it.
    pub language: Option<&'static str>,
    /// What the page may load and do in a browser.
    pub content_security_policy: Option<HeaderValue>,
}

/// How an action on a resource ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It has been done, or will be.
    Accepted,
    /// The resource does not exist.
    NotFound,
    /// The state of the resource does not allow it; the reason, as a sentence.
    Refused(&'static str),
}

/// Why an action on all resources was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionError {
    /// The query is not valid.
    Query(Vec<FieldError>),
    /// The state of the service does not allow it; the reason, as a sentence.
    Refused(&'static str),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for ActionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The extension of a service that only stores resources.
#[derive(Debug, Clone, Copy)]
pub struct NoExtension;

/// No arguments.
#[derive(Debug, clap::Args)]
pub struct NoArgs {}

impl Extension for NoExtension {
    type Args = NoArgs;

    fn start(_args: &NoArgs, _context: ExtensionContext) -> Result<Self, String> {
        Ok(Self)
    }
}
