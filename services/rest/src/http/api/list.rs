//! `GET /{collection}`: lists resources: everything, a page, or what the extension selects.

use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use store::{Condition, Listing, Page, Revision};

use super::Api;
use crate::extension::{Extension, Selection};
use crate::http::answer::{self, Answer};
use crate::http::budget::{BudgetPermit, STREAM_BYTES};
use crate::http::conditional::{self, unchanged};
use crate::http::content::Content;
use crate::http::encoding::{self, Encoding};
use crate::http::list_body::{self, CachedOrStreamed};
use crate::http::paging;
use crate::http::problem::Problem;
use crate::limits::{Client, Share};
use crate::resource::Resource;

/// A list request.
pub(super) struct List<'a> {
    query: Option<&'a str>,
    page: Page,
    condition: Condition,
    headers: &'a HeaderMap,
    client: Client,
}

impl<'a> List<'a> {
    pub(super) fn parse(parts: &'a Parts, client: Client) -> Result<Self, Problem> {
        let query = parts.uri.query();
        let page = paging::parse(query)?;
        let headers = &parts.headers;
        Ok(Self { query, page, condition: conditional::condition(headers), headers, client })
    }

    pub(super) async fn apply<R: Resource, E: Extension>(
        self,
        api: &Api<R, E>,
    ) -> Result<Answer, Problem> {
        if let Some(query) = self.query {
            let _reading = api.budget.read_page(self.page.limit.unwrap_or(paging::MAX_LIMIT)).await;
            if let Some(selection) = api.extension.select(query, self.page).await? {
                return selected(api, self.client, selection);
            }
        }
        // The tag of a list changes with every commit, and tells nothing of its length.
        let revision = api.store.revision().await?;
        let tag = revision.tag();
        if let Some(not_modified) = unchanged(&self.condition, tag, self.headers, u64::MAX)? {
            return Ok(not_modified);
        }
        if self.page == Page::ALL {
            self.all(api, revision).await
        } else {
            self.one_page(api).await
        }
    }

    async fn all<R: Resource, E: Extension>(
        &self,
        api: &Api<R, E>,
        wanted: Revision,
    ) -> Result<Answer, Problem> {
        let begin = || api.limits.list(self.client);
        match api.list.get(&*api.store, &api.budget, wanted, begin).await? {
            CachedOrStreamed::Streamed(listing, share) => {
                self.streamed(api, listing, share, STREAM_BYTES as u64)
            }
            CachedOrStreamed::Cached(list) => {
                let length = list.plain.len() as u64;
                let encoding = Encoding::choose(self.headers, length);
                let body = match encoding {
                    Encoding::Identity => list.plain.clone(),
                    Encoding::Gzip => list.gzip().await?,
                };
                // Those who read the same list share its memory, but only this client may be
                // reading it any more: half of it counts.
                let share = api.limits.answer(self.client, body.len() as u64 / 2)?;
                let body = Content::from(body).with_permit(share.map(BudgetPermit::of_share));
                let tag = list.revision.tag();
                Ok(answer::tagged(StatusCode::OK, body, tag, encoding, length))
            }
        }
    }

    async fn one_page<R: Resource, E: Extension>(
        &self,
        api: &Api<R, E>,
    ) -> Result<Answer, Problem> {
        // Without a limit it is read while it is sent.
        let limit = self.page.limit;
        let _reading = api.budget.read_page(limit.unwrap_or(1)).await;
        let share = if limit.is_none() { api.limits.list(self.client)? } else { None };
        let listing = api.store.list(self.page).await?;
        let next = listing.next_after;
        let answer = match list_body::length(&listing) {
            Some(length) if Encoding::choose(self.headers, length) == Encoding::Identity => {
                let permit = api.take_memory(self.client, length)?;
                let tag = listing.revision.tag();
                let body = Content::from(list_body::read(listing).await?).with_permit(permit);
                answer::tagged(StatusCode::OK, body, tag, Encoding::Identity, length)
            }
            // The resources of a page are in memory until they have been sent.
            length => self.streamed(api, listing, share, length.unwrap_or_default())?,
        };
        Ok(match next.zip(limit) {
            Some((after, limit)) => {
                answer::with_next(answer, R::COLLECTION, &format!("limit={limit}&after={after}"))
            }
            None => answer,
        })
    }

    /// A list that is read while it is sent, and takes so much memory meanwhile.
    fn streamed<R: Resource, E: Extension>(
        &self,
        api: &Api<R, E>,
        listing: Listing,
        share: Option<Share>,
        memory: u64,
    ) -> Result<Answer, Problem> {
        let permit = api.take_memory(self.client, memory.max(STREAM_BYTES as u64))?;
        let permit = permit.map(|permit| permit.and_share(share));
        let (length, tag) = (list_body::length(&listing), listing.revision.tag());
        let encoding = Encoding::choose(self.headers, length.unwrap_or(u64::MAX));
        let chunks = list_body::json_chunks(listing.chunks);
        let body = match encoding {
            Encoding::Identity => Content::stream(chunks, length),
            Encoding::Gzip => Content::stream(Box::new(encoding::gzip(chunks)), None),
        };
        let length = length.unwrap_or(u64::MAX);
        Ok(answer::tagged(StatusCode::OK, body.with_permit(permit), tag, encoding, length))
    }
}

/// Answers with the documents that the extension has selected.
fn selected<R: Resource, E: Extension>(
    api: &Api<R, E>,
    client: Client,
    selection: Selection,
) -> Result<Answer, Problem> {
    let Selection { documents, next } = selection;
    let body = list_body::json_list(&documents);
    let permit = api.take_memory(client, body.len() as u64)?;
    let answer = answer::untagged_list(Content::from(body).with_permit(permit));
    Ok(match next {
        Some(query) => answer::with_next(answer, R::COLLECTION, &query),
        None => answer,
    })
}
