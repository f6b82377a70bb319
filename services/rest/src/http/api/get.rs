//! `GET /{collection}/{id}`: reads one resource.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional::{self, unchanged};
use crate::http::problem::Problem;
use crate::id::ObjectId;
use crate::json::ObjectWriter;
use crate::resource::Resource;
use crate::store::{Condition, Document, Store, StoreError};

/// A read of one resource.
pub(super) struct Get<'a> {
    id: ObjectId,
    condition: Condition,
    headers: &'a HeaderMap,
    /// Whether the fields that the extension knows are wanted too.
    with_extra_fields: bool,
}

impl<'a> Get<'a> {
    pub(super) fn parse<R, S, E: Extension>(
        api: &Api<R, S, E>,
        id: ObjectId,
        parts: &'a Parts,
    ) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let with_extra_fields = api.extension.wants_extra_fields(query).map_err(Problem::Query)?;
        let headers = &parts.headers;
        Ok(Self { id, condition: conditional::condition(headers), headers, with_extra_fields })
    }

    pub(super) async fn apply<R, S, E>(self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
        E: Extension,
    {
        let Self { id, condition, headers, with_extra_fields } = self;
        if with_extra_fields {
            return api.answer_with_extra_fields(id, StatusCode::OK).await;
        }
        let document = existing(api.store.get(id).await)?;
        let length = document.bytes.len() as u64;
        match unchanged(&condition, document.tag, headers, length)? {
            Some(not_modified) => Ok(not_modified),
            None => Ok(answer::document(StatusCode::OK, document, headers)),
        }
    }
}

/// Answers a read without a condition, if the store need not wait for the disk.
pub(super) fn immediately(
    store: &impl Store,
    id: ObjectId,
    headers: &HeaderMap,
) -> Option<Result<Answer, Problem>> {
    let document = existing(store.get_at_once(id)?);
    Some(document.map(|document| answer::document(StatusCode::OK, document, headers)))
}

impl<R: Resource, S: Store, E: Extension> Api<R, S, E> {
    /// A resource with the fields that the extension adds.
    pub(super) async fn answer_with_extra_fields(
        &self,
        id: ObjectId,
        status: StatusCode,
    ) -> Result<Answer, Problem> {
        let document = existing(self.store.get(id).await)?;
        Ok(answer::json(status, self.with_extra_fields(&document.bytes)))
    }

    /// Adds the fields that the extension knows to a document.
    pub(super) fn with_extra_fields(&self, document: &[u8]) -> Bytes {
        let mut out = document.to_vec();
        if let (Some(id), Some(mut object)) =
            (ObjectId::of_document(document), ObjectWriter::reopen(&mut out))
        {
            self.extension.write_extra_fields(id, &mut object);
            object.finish();
        }
        out.into()
    }
}

fn existing(document: Result<Option<Document>, StoreError>) -> Result<Document, Problem> {
    document?.ok_or(Problem::NoSuchResource)
}
