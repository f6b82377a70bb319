//! `POST /{collection}`: stores a new resource.

use bytes::Bytes;
use hyper::body::Body;
use hyper::{HeaderMap, StatusCode};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::problem::Problem;
use crate::resource::Resource;
use crate::store::{Document, Store};

/// The creation of a resource.
pub(super) struct Create<R> {
    resource: R,
}

impl<R: Resource> Create<R> {
    pub(super) async fn parse<S: Store, E: Extension>(
        api: &Api<R, S, E>,
        body: impl Body,
    ) -> Result<Self, Problem> {
        Ok(Self { resource: api.read_resource(body).await? })
    }

    pub(super) async fn apply<S, E>(self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        S: Store,
        E: Extension,
    {
        let _permit = api.begin_write()?;
        let id = api.ids.next();
        let document = Document::from(Bytes::from(self.resource.document(id)));
        api.store.insert(id, document.bytes.clone()).await?;
        api.extension.changed(id);
        let answer = answer::document(StatusCode::CREATED, document, &HeaderMap::new());
        Ok(answer::with_location(answer, R::COLLECTION, id))
    }
}
