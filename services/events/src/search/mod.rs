//! Searches events.
//!
//! ```text
//! query    the query of a search
//! facts    what finds an event
//! ```

mod facts;
mod query;

use rest::extension::SelectError;
use store::{Document, Page, Store};

pub(crate) use facts::facts;
use query::Query;

/// A page of what a search has found.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// The events, in order.
    pub(crate) documents: Vec<Document>,
    /// The query of the next page, if there may be one.
    pub(crate) next: Option<String>,
}

/// The events of a page that match a query; `None` if the query is not a search.
pub(crate) async fn search(
    store: &dyn Store,
    query: &str,
    page: Page,
) -> Result<Option<Results>, SelectError> {
    let Some(query) = Query::parse(query, page)? else { return Ok(None) };
    let Some(search) = query.search() else { return Ok(Some(Results::default())) };
    let found = store.search(search).await?.ok_or(SelectError::NotFound)?;
    let next = found.next.map(|cursor| query.next(cursor));
    Ok(Some(Results { documents: found.documents, next }))
}
