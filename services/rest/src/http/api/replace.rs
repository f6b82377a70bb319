//! `PUT /{collection}/{id}`: replaces a resource.

use bytes::Bytes;
use hyper::body::Body;
use hyper::{HeaderMap, StatusCode};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional;
use crate::http::problem::{Problem, written};
use crate::id::ObjectId;
use crate::resource::Resource;
use crate::store::{Condition, Document, Store};

/// The replacement of a resource.
pub(super) struct Replace {
    id: ObjectId,
    condition: Condition,
    document: Document,
}

impl Replace {
    pub(super) async fn parse<R: Resource, S: Store, E: Extension>(
        api: &Api<R, S, E>,
        id: ObjectId,
        headers: &HeaderMap,
        body: impl Body,
    ) -> Result<Self, Problem> {
        let condition = conditional::condition(headers);
        let document = api.read_resource(body).await?.document(id);
        Ok(Self { id, condition, document: Bytes::from(document).into() })
    }

    pub(super) async fn apply<R, S, E>(self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
        E: Extension,
    {
        let Self { id, condition, document } = self;
        let _permit = api.begin_write()?;
        written(api.store.replace(id, document.bytes.clone(), condition).await?)?;
        api.extension.changed(id);
        Ok(answer::document(StatusCode::OK, document, &HeaderMap::new()))
    }
}
