//! Searches events.
//!
//! ```text
//! query    the query of a search
//! fold     comparing texts without regard to case and accents
//! index    which events may match, in memory
//! ```

mod fold;
mod index;
mod query;

use std::sync::Arc;

use rest::extension::{NoSelection, Selection};
use rest::fields::FieldError;
use rest::follow::Followed;
use rest::store::{LogStore, Page, StoreError, blocking};
use rest::{ObjectId, Resource};

use crate::Event;
use index::{Index, Key, Stored};
use query::Query;

/// Events whose texts a search looks at before it answers with what it has: few threads
/// wait for the disk, and others need them, too. The link to the next page goes on there.
const LOOKED_AT: usize = 20_000;

/// Finding events.
#[derive(Debug, Clone)]
pub(crate) struct Search(Followed<Index>);

impl Search {
    /// Begins to read what there is.
    pub(crate) fn start(store: Arc<LogStore>) -> Result<Self, String> {
        Followed::start(store, Index::default()).map(Self)
    }

    /// An event was stored under an id, or removed.
    pub(crate) fn changed(&self, id: ObjectId) {
        self.0.changed(id);
    }

    /// An event, from the disk.
    pub(crate) fn read(&self, id: ObjectId) -> Result<Option<Event>, StoreError> {
        let document = self.0.store().read(id)?;
        Ok(document.and_then(|document| Event::from_body(&document.bytes).ok()))
    }

    /// The events that a query asks for, a page of them; none where it asks for no search.
    pub(crate) async fn select(
        &self,
        query: &str,
        page: Page,
    ) -> Result<Option<Selection>, NoSelection> {
        let Some(query) = Query::read(query, page)? else { return Ok(None) };
        self.0.catch_up().await;
        let search = self.clone();
        let unknown = |error: StoreError| {
            tracing::error!(%error, "a search failed");
            vec![FieldError { field: "q", message: "could not be searched for".into() }]
        };
        blocking(move || Ok(search.run(&query))).await.map_err(unknown)?.map(Some)
    }

    fn run(&self, query: &Query) -> Result<Selection, NoSelection> {
        let (candidates, certain) = {
            let index = self.0.index();
            if let Some((id, None)) = query.after
                && !index.knows(id)
            {
                return Err(NoSelection::NotFound);
            }
            index.candidates(query)
        };
        let mut found: Vec<Key> = Vec::new();
        let mut last = None;
        for (number, key) in candidates.iter().enumerate() {
            let enough = found.len() == query.limit || (!certain && number == LOOKED_AT);
            if enough {
                // There is more, or may be.
                let next = last.map(|key| query.next(key));
                return Ok(selection(&found, next));
            }
            if certain || self.has(key.1, query) {
                found.push(*key);
            }
            last = Some(*key);
        }
        Ok(selection(&found, None))
    }

    fn has(&self, id: ObjectId, query: &Query) -> bool {
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
    Selection { ids, next, described: false }
}
