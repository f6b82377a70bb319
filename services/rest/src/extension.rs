//! Defines what a service can do besides storing documents and returning them: an [`Extension`]
//! is told about every change, adds to answers, and has lists and actions of its own.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::fields::FieldError;
use crate::id::ObjectId;
use crate::json::ObjectWriter;
use crate::store::{LogStore, Page, StoreError};
use crate::writes::Writes;

/// What a service does besides storing.
pub trait Extension: Sized + Send + Sync + 'static {
    /// What it is told on the command line.
    type Args: clap::Args;

    /// The actions that there are: `POST /collection/{id}/{action}`.
    const ACTIONS: &'static [&'static str] = &[];

    /// Begins, within the service's runtime and before the first request. An error is the
    /// rest of a sentence that begins with the service's name.
    fn start(args: &Self::Args, given: Given) -> Result<Self, String>;

    /// A document was stored under an id, or removed; nobody has been answered yet. Of two
    /// changes of one document the later may be told first.
    fn changed(&self, _id: ObjectId) {}

    /// What a list's query asks for beyond a page: which documents, in their order. None
    /// leaves the list to the API.
    fn select(
        &self,
        _query: &str,
        _page: Page,
    ) -> impl Future<Output = Result<Option<Selection>, NoSelection>> + Send {
        async { Ok(None) }
    }

    /// Whether an item's query asks for what [`Self::describe`] adds.
    fn wants_description(&self, _query: &str) -> Result<bool, Vec<FieldError>> {
        Ok(false)
    }

    /// Adds to a document what the extension knows of it.
    fn describe(&self, _id: ObjectId, _out: &mut ObjectWriter<'_>) {}

    /// Does one of the actions.
    fn act(&self, _id: ObjectId, _action: &str) -> Acted {
        Acted::NotFound
    }

    /// Whether it has something for people to look at under a path that the API does not
    /// know.
    fn has_page(_path: &str) -> bool {
        false
    }

    /// What people look at under such a path.
    fn page(
        &self,
        _path: &str,
        _query: &str,
    ) -> impl Future<Output = Result<Shown, StoreError>> + Send {
        async { Ok(Shown::default()) }
    }

    /// Adds to what `/readyz` tells.
    fn about(&self, _out: &mut ObjectWriter<'_>) {}

    /// Comes to its end, with the service: what is at work may finish.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What an extension works with.
#[derive(Debug, Clone)]
pub struct Given {
    /// The documents.
    pub store: Arc<LogStore>,
    /// The service's data folder, which is locked.
    pub folder: PathBuf,
    /// Whether anything may be changed at the moment.
    pub writes: Arc<Writes>,
    /// Whether everybody may change everything.
    pub open: bool,
}

/// Some documents of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Which, in this order. One that is gone by the time it is read is left out.
    pub ids: Vec<ObjectId>,
    /// The query of the page after this one, where there is more.
    pub next: Option<String>,
    /// Whether each has what the extension knows of it.
    pub described: bool,
}

/// Why nothing is picked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSelection {
    /// The query makes no sense.
    Query(Vec<FieldError>),
    /// It is to begin after a document that is not there.
    NotFound,
}

impl From<Vec<FieldError>> for NoSelection {
    fn from(problems: Vec<FieldError>) -> Self {
        Self::Query(problems)
    }
}

/// Something for people to look at, or a part of it.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Whether it is what was asked for.
    pub status: StatusCode,
    /// Its media type.
    pub kind: &'static str,
    /// It.
    pub body: Bytes,
    /// Whether it is the same for ever under its URL.
    pub lasts: bool,
    /// What it may do in a browser: its `Content-Security-Policy`.
    pub policy: Option<HeaderValue>,
}

/// What became of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// It was done, or will be.
    Done,
    /// There is nothing that it could be done to.
    NotFound,
    /// It cannot be done to a document as this one is; the reason, as a sentence.
    Refused(&'static str),
}

/// Nothing besides storing.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

/// Nothing on the command line.
#[derive(Debug, clap::Args)]
pub struct NoArgs {}

impl Extension for Plain {
    type Args = NoArgs;

    fn start(_args: &NoArgs, _given: Given) -> Result<Self, String> {
        Ok(Self)
    }
}
