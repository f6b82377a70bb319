//! What the service does besides storing events: it searches them, and shows them to people.

use std::sync::Arc;

use rest::extension::{
    Extension, ExtensionContext, PageKind, PageRequest, PageResponse, SelectError, Selection,
};
use store::{Page, Store, StoreError};

use crate::page::{PageArgs, Pages};
use crate::search::search;

/// The search, and the pages for people.
#[derive(Debug)]
pub struct EventsExtension {
    store: Arc<dyn Store>,
    pages: Pages,
}

impl Extension for EventsExtension {
    type Args = PageArgs;

    fn check(args: &PageArgs) -> Result<(), String> {
        args.check()
    }

    fn start(args: &PageArgs, context: ExtensionContext) -> Result<Self, String> {
        Ok(Self { pages: Pages::new(args, context.is_open)?, store: context.store })
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, SelectError> {
        let Some(results) = search(&*self.store, query, page).await? else { return Ok(None) };
        let documents = results.documents.into_iter().map(|document| document.bytes).collect();
        Ok(Some(Selection { documents, next: results.next }))
    }

    fn page_kind(path: &str) -> Option<PageKind> {
        Pages::kind(path)
    }

    fn is_search(path: &str) -> bool {
        path == "/"
    }

    async fn page(&self, request: PageRequest<'_>) -> Result<PageResponse, StoreError> {
        self.pages.get(&*self.store, request).await
    }
}
