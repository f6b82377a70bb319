//! `POST /{collection}`: stores a new resource.

use hyper::body::Body;
use hyper::{HeaderMap, StatusCode};
use store::{Document, Write};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::problem::{Problem, created};
use crate::limits::Client;
use crate::resource::Resource;

/// The creation of a resource.
pub(super) struct Create<R> {
    resource: R,
}

impl<R: Resource> Create<R> {
    pub(super) async fn parse<E: Extension>(
        api: &Api<R, E>,
        client: Client,
        body: impl Body,
    ) -> Result<Self, Problem> {
        Ok(Self { resource: api.read_resource(client, body).await? })
    }

    pub(super) async fn apply<E: Extension>(self, api: &Api<R, E>) -> Result<Answer, Problem> {
        let _permit = api.begin_write()?;
        let id = api.ids.next();
        let document = Document::new(id, self.resource.document(id));
        let write = Write::Create { document, facts: self.resource.facts() };
        let Document { id, bytes, tag } = created(api.store.write(write).await?)?;
        api.extension.written();
        let answer = answer::document(StatusCode::CREATED, bytes, tag, &HeaderMap::new());
        Ok(answer::with_location(answer, R::COLLECTION, id))
    }
}
