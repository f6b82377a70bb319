//! `GET /{collection}/{id}`: reads one resource.

use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use store::{Condition, Document, ObjectId, Store, StoreError};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional::{self, unchanged};
use crate::http::problem::Problem;
use crate::resource::Resource;

/// A read of one resource.
pub(super) struct Get<'a> {
    id: ObjectId,
    condition: Condition,
    headers: &'a HeaderMap,
    /// Whether what the extension knows of it is wanted, too.
    extended: bool,
}

impl<'a> Get<'a> {
    pub(super) fn parse<R, E: Extension>(
        api: &Api<R, E>,
        id: ObjectId,
        parts: &'a Parts,
    ) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let extended = api.extension.wants_extended(query).map_err(Problem::Query)?;
        let headers = &parts.headers;
        Ok(Self { id, condition: conditional::condition(headers), headers, extended })
    }

    pub(super) async fn apply<R: Resource, E: Extension>(
        self,
        api: &Api<R, E>,
    ) -> Result<Answer, Problem> {
        let Self { id, condition, headers, extended } = self;
        if extended {
            return api.answer_extended(id, StatusCode::OK).await;
        }
        let Document { bytes, tag, .. } = existing(api.store.get(id).await)?;
        match unchanged(&condition, tag, headers, bytes.len() as u64)? {
            Some(not_modified) => Ok(not_modified),
            None => Ok(answer::document(StatusCode::OK, bytes, tag, headers)),
        }
    }
}

/// Answers a read without a condition, if the store need not wait for the disk.
pub(super) fn immediately(
    store: &dyn Store,
    id: ObjectId,
    headers: &HeaderMap,
) -> Option<Result<Answer, Problem>> {
    let document = existing(store.get_at_once(id)?);
    Some(
        document.map(|Document { bytes, tag, .. }| {
            answer::document(StatusCode::OK, bytes, tag, headers)
        }),
    )
}

impl<R: Resource, E: Extension> Api<R, E> {
    /// A resource with what the extension knows of it.
    pub(super) async fn answer_extended(
        &self,
        id: ObjectId,
        status: StatusCode,
    ) -> Result<Answer, Problem> {
        let document = self.extension.extended(id).await?;
        Ok(answer::json(status, document.ok_or(Problem::NoSuchResource)?))
    }
}

fn existing(document: Result<Option<Document>, StoreError>) -> Result<Document, Problem> {
    document?.ok_or(Problem::NoSuchResource)
}
