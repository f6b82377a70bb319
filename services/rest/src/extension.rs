//! What a service can do besides storing resources: an [`Extension`] sees every write, selects
//! resources for lists, and adds fields, actions and pages of its own.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::fields::FieldError;
use crate::id::ObjectId;
use crate::json::ObjectWriter;
use crate::store::{LogStore, Page, StoreError};
use crate::writes::WriteGate;

/// What a service does besides storing.
pub trait Extension: Sized + Send + Sync + 'static {
    /// Its arguments on the command line.
    type Args: clap::Args;

    /// The names of its actions: `POST /{collection}/{id}/{action}`.
    const ACTIONS: &'static [&'static str] = &[];

    /// Starts the extension, within the service's runtime and before the first request. The
    /// error is shown after the service's name.
    fn start(args: &Self::Args, context: ExtensionContext) -> Result<Self, String>;

    /// A document was stored or removed; its client has not been answered yet. Concurrent
    /// writes to one document may be reported in any order.
    fn changed(&self, _id: ObjectId) {}

    /// Selects the documents that the query of a list asks for. `None` if the query is for
    /// the API alone.
    fn select(
        &self,
        _query: &str,
        _page: Page,
    ) -> impl Future<Output = Result<Option<Selection>, SelectError>> + Send {
        async { Ok(None) }
    }

    /// Whether the query of one resource asks for the fields of
    /// [`Self::write_extra_fields`].
    fn wants_extra_fields(&self, _query: &str) -> Result<bool, Vec<FieldError>> {
        Ok(false)
    }

    /// Adds what the extension knows of a resource to its fields.
    fn write_extra_fields(&self, _id: ObjectId, _out: &mut ObjectWriter<'_>) {}

    /// Runs one of the actions on a resource.
    fn run_action(&self, _id: ObjectId, _action: &str) -> ActionOutcome {
        ActionOutcome::NotFound
    }

    /// Whether there is a page for people at a path that the API does not know.
    fn has_page(_path: &str) -> bool {
        false
    }

    /// The page at such a path.
    fn page(
        &self,
        _path: &str,
        _query: &str,
    ) -> impl Future<Output = Result<PageResponse, StoreError>> + Send {
        async { Ok(PageResponse::default()) }
    }

    /// Adds the state of the extension to `/readyz`.
    fn write_status(&self, _out: &mut ObjectWriter<'_>) {}

    /// Stops with the service, after the work in progress.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What an extension works with.
#[derive(Debug, Clone)]
pub struct ExtensionContext {
    /// The documents.
    pub store: Arc<LogStore>,
    /// The service's data folder, which is locked.
    pub folder: PathBuf,
    /// Whether writes are accepted.
    pub writes: Arc<WriteGate>,
    /// Whether everybody may read and write everything.
    pub is_open: bool,
}

/// The documents of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Their ids, in order. A document that has been removed before it is read is left out.
    pub ids: Vec<ObjectId>,
    /// The query of the next page, if there is one.
    pub next: Option<String>,
    /// Whether each has the fields that the extension adds.
    pub with_extra_fields: bool,
}

/// Why nothing can be selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectError {
    /// The query is not valid.
    Query(Vec<FieldError>),
    /// The page is to begin after a document that does not exist.
    NotFound,
}

impl From<Vec<FieldError>> for SelectError {
    fn from(problems: Vec<FieldError>) -> Self {
        Self::Query(problems)
    }
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
    /// Whether the body under this URL never changes.
    pub immutable: bool,
    /// What the page may load and do in a browser.
    pub content_security_policy: Option<HeaderValue>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It has been done, or will be.
    Accepted,
    /// The resource does not exist.
    NotFound,
    /// The state of the resource does not allow it; the reason, as a sentence.
    Refused(&'static str),
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
