//! Adds what the service does besides storing events: searching them, and showing them to
//! people.

use rest::ObjectId;
use rest::extension::{Extension, Given, NoSelection, Selection, Shown};
use rest::store::{Page, StoreError};

use crate::page::{PageArgs, Pages};
use crate::search::Search;

/// Searching, and pages for people.
#[derive(Debug)]
pub struct Extras {
    search: Search,
    pages: Pages,
}

impl Extension for Extras {
    type Args = PageArgs;

    fn start(args: &PageArgs, given: Given) -> Result<Self, String> {
        let pages = Pages::new(args, given.open);
        Ok(Self { search: Search::start(given.store)?, pages })
    }

    fn changed(&self, id: ObjectId) {
        self.search.changed(id);
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, NoSelection> {
        self.search.select(query, page).await
    }

    fn has_page(path: &str) -> bool {
        Pages::has(path)
    }

    async fn page(&self, path: &str, query: &str) -> Result<Shown, StoreError> {
        self.pages.show(&self.search, path, query).await
    }
}
