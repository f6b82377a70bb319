//! `PUT /{collection}/{id}`: replaces a resource.

use hyper::body::Body;
use hyper::{HeaderMap, StatusCode};
use store::{Condition, Document, Facts, ObjectId, Write};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional;
use crate::http::problem::{Problem, written};
use crate::limits::Client;
use crate::resource::Resource;

/// The replacement of a resource.
pub(super) struct Replace {
    condition: Condition,
    document: Document,
    facts: Facts,
}

impl Replace {
    pub(super) async fn parse<R: Resource, E: Extension>(
        api: &Api<R, E>,
        id: ObjectId,
        client: Client,
        headers: &HeaderMap,
        body: impl Body,
    ) -> Result<Self, Problem> {
        let condition = conditional::condition(headers);
        let resource = api.read_resource(client, body).await?;
        let document = Document::new(id, resource.document(id));
        Ok(Self { condition, document, facts: resource.facts() })
    }

    pub(super) async fn apply<R: Resource, E: Extension>(
        self,
        api: &Api<R, E>,
    ) -> Result<Answer, Problem> {
        let Self { condition, document, facts } = self;
        let _permit = api.begin_write()?;
        let write = Write::Replace { document: document.clone(), facts, condition };
        written(api.store.write(write).await?)?;
        api.extension.written();
        let Document { bytes, tag, .. } = document;
        Ok(answer::document(StatusCode::OK, bytes, tag, &HeaderMap::new()))
    }
}
