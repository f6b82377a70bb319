//! What the service does besides storing events: it searches them, and shows them to people.

use rest::ObjectId;
use rest::extension::{Extension, ExtensionContext, PageResponse, SelectError, Selection};
use rest::store::{Page, StoreError};

use crate::page::{PageArgs, Pages};
use crate::search::Search;

/// The search, and the pages for people.
#[derive(Debug)]
pub struct EventsExtension {
    search: Search,
    pages: Pages,
}

impl Extension for EventsExtension {
    type Args = PageArgs;

    fn start(args: &PageArgs, context: ExtensionContext) -> Result<Self, String> {
        let pages = Pages::new(args, context.is_open);
        Ok(Self { search: Search::start(context.store)?, pages })
    }

    fn changed(&self, id: ObjectId) {
        self.search.changed(id);
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, SelectError> {
        self.search.select(query, page).await
    }

    fn has_page(path: &str) -> bool {
        Pages::has(path)
    }

    async fn page(&self, path: &str, query: &str) -> Result<PageResponse, StoreError> {
        self.pages.get(&self.search, path, query).await
    }
}
