//! `GET /{collection}`: lists resources: everything, a page, or what the extension selects.

use std::sync::Arc;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};

use super::Api;
use crate::extension::{Extension, Selection};
use crate::http::answer::{self, Answer};
use crate::http::conditional::{self, unchanged};
use crate::http::content::Content;
use crate::http::encoding::{self, Encoding};
use crate::http::list_body::{self, CachedOrStreamed};
use crate::http::paging;
use crate::http::problem::Problem;
use crate::resource::Resource;
use crate::store::{Condition, Listing, Page, Store};

/// Selections up to this size are read before they are sent, and sent in one piece.
const MAX_BUFFERED_DOCUMENTS: usize = 256;

/// A list request.
pub(super) struct List<'a> {
    query: Option<&'a str>,
    page: Page,
    condition: Condition,
    headers: &'a HeaderMap,
}

impl<'a> List<'a> {
    pub(super) fn parse(parts: &'a Parts) -> Result<Self, Problem> {
        let query = parts.uri.query();
        let page = paging::parse(query).map_err(Problem::Query)?;
        let headers = &parts.headers;
        Ok(Self { query, page, condition: conditional::condition(headers), headers })
    }

    pub(super) async fn apply<R, S, E>(self, api: &Arc<Api<R, S, E>>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
        E: Extension,
    {
        if let Some(query) = self.query
            && let Some(selection) = api.extension.select(query, self.page).await?
        {
            return selected(api, selection).await;
        }
        // The tag of a list changes with every commit, and tells nothing of its length.
        let tag = api.store.revision().tag();
        if let Some(not_modified) = unchanged(&self.condition, tag, self.headers, u64::MAX)? {
            return Ok(not_modified);
        }
        if self.page == Page::ALL { self.all(api).await } else { self.one_page(api).await }
    }

    async fn all<R, S: Store, E>(&self, api: &Api<R, S, E>) -> Result<Answer, Problem> {
        match api.list.get(&api.store).await? {
            CachedOrStreamed::Streamed(listing) => Ok(streamed(listing, self.headers)),
            CachedOrStreamed::Cached(list) => {
                let length = list.plain.len() as u64;
                let encoding = Encoding::choose(self.headers, length);
                let body = match encoding {
                    Encoding::Identity => list.plain.clone(),
                    Encoding::Gzip => list.gzip().await?,
                };
                let tag = list.revision.tag();
                Ok(answer::tagged(StatusCode::OK, body.into(), tag, encoding, length))
            }
        }
    }

    async fn one_page<R, S, E>(&self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
    {
        let listing = api.store.list(self.page);
        let next = listing.next_after;
        let length = list_body::length(&listing);
        let compressed = Encoding::choose(self.headers, length) == Encoding::Gzip;
        let answer = if length > list_body::MAX_CACHED_BYTES || compressed {
            streamed(listing, self.headers)
        } else {
            let tag = listing.revision.tag();
            let body = list_body::read(listing).await?.into();
            answer::tagged(StatusCode::OK, body, tag, Encoding::Identity, length)
        };
        Ok(match next {
            Some(after) => {
                let query = format!("limit={}&after={after}", self.page.limit);
                answer::with_next(answer, R::COLLECTION, &query)
            }
            None => answer,
        })
    }
}

/// Answers with the documents that the extension has selected.
async fn selected<R, S, E>(api: &Arc<Api<R, S, E>>, selection: Selection) -> Result<Answer, Problem>
where
    R: Resource,
    S: Store,
    E: Extension,
{
    let Selection { ids, next, with_extra_fields } = selection;
    let buffered = ids.len() <= MAX_BUFFERED_DOCUMENTS;
    let mut chunks = api.store.pick(ids);
    if with_extra_fields {
        let api = Arc::clone(api);
        let extend = move |documents: Vec<Bytes>| {
            documents.into_iter().map(|document| api.with_extra_fields(&document)).collect()
        };
        chunks = Box::new(chunks.map(move |chunk| chunk.map(&extend)));
    }
    let chunks = list_body::json_chunks(chunks);
    let body = if buffered {
        list_body::join(chunks).await?.into()
    } else {
        Content::stream(chunks, None)
    };
    let answer = answer::untagged_list(body);
    Ok(match next {
        Some(query) => answer::with_next(answer, R::COLLECTION, &query),
        None => answer,
    })
}

/// A list that is read while it is sent.
fn streamed(listing: Listing, headers: &HeaderMap) -> Answer {
    let (length, tag) = (list_body::length(&listing), listing.revision.tag());
    let encoding = Encoding::choose(headers, length);
    let chunks = list_body::json_chunks(listing.chunks);
    let body = match encoding {
        Encoding::Identity => Content::stream(chunks, Some(length)),
        Encoding::Gzip => Content::stream(Box::new(encoding::gzip(chunks)), None),
    };
    answer::tagged(StatusCode::OK, body, tag, encoding, length)
}
