//! Searches events.
//!
//! ```text
//! query    the query of a search
//! fold     texts without case and accents, for comparisons
//! index    which events may match, in memory
//! ```

mod fold;
mod index;
mod query;

use std::sync::Arc;

use rest::extension::{SelectError, Selection};
use rest::fields::FieldError;
use rest::follow::Followed;
use rest::store::{LogStore, Page, StoreError, blocking};
use rest::{ObjectId, Resource};

use crate::Event;
use index::{Index, Key, Stored};
use query::Query;

/// The events whose texts a search reads at most before it answers with what it has found: few
/// threads wait for the disk, and other requests need them too. The next page continues there.
const MAX_READ: usize = 20_000;

/// The search.
#[derive(Debug, Clone)]
pub(crate) struct Search(Followed<Index>);

impl Search {
    /// Starts to read the stored events.
    pub(crate) fn start(store: Arc<LogStore>) -> Result<Self, String> {
        Followed::start(store, Index::default()).map(Self)
    }

    /// An event was stored under an id, or removed.
    pub(crate) fn changed(&self, id: ObjectId) {
        self.0.changed(id);
    }

    /// Reads an event from the disk.
    pub(crate) fn read(&self, id: ObjectId) -> Result<Option<Event>, StoreError> {
        let document = self.0.store().read(id)?;
        Ok(document.and_then(|document| Event::from_body(&document.bytes).ok()))
    }

    /// The events of a page that match a query; `None` if the query is not a search.
    pub(crate) async fn select(
        &self,
        query: &str,
        page: Page,
    ) -> Result<Option<Selection>, SelectError> {
        let Some(query) = Query::parse(query, page)? else { return Ok(None) };
        self.0.catch_up().await;
        let search = self.clone();
        let failed = |error: StoreError| {
            tracing::error!(%error, "a search failed");
            vec![FieldError { field: "q", message: "could not be searched".into() }]
        };
        blocking(move || Ok(search.run(&query))).await.map_err(failed)?.map(Some)
    }

    fn run(&self, query: &Query) -> Result<Selection, SelectError> {
        let (candidates, certain) = {
            let index = self.0.index();
            if let Some((id, None)) = query.after
                && !index.knows(id)
            {
                return Err(SelectError::NotFound);
            }
            index.candidates(query)
        };
        let mut found: Vec<Key> = Vec::new();
        let mut last = None;
        for (number, key) in candidates.iter().enumerate() {
            let is_full = found.len() == query.limit || (!certain && number == MAX_READ);
            if is_full {
                // There may be more.
                let next = last.map(|key| query.next(key));
                return Ok(selection(&found, next));
            }
            if certain || self.matches(key.1, query) {
                found.push(*key);
            }
            last = Some(*key);
        }
        Ok(selection(&found, None))
    }

    fn matches(&self, id: ObjectId, query: &Query) -> bool {
        match self.0.store().read(id) {
            Ok(Some(document)) => Stored::read(&document.bytes).is_some_and(|it| it.has(query)),
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, %id, "an event cannot be read");
                false
            }
        }
    }
}

fn selection(found: &[Key], next: Option<String>) -> Selection {
    let ids = found.iter().map(|(_, id)| *id).collect();
    Selection { ids, next, with_extra_fields: false }
}
