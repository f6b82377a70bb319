//! `DELETE /{collection}/{id}`: deletes a resource, and answers with what it was.

use hyper::{HeaderMap, StatusCode};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional;
use crate::http::problem::{Problem, written};
use crate::id::ObjectId;
use crate::resource::Resource;
use crate::store::{Condition, Store};

/// The deletion of a resource.
pub(super) struct Delete {
    id: ObjectId,
    condition: Condition,
}

impl Delete {
    pub(super) fn parse(id: ObjectId, headers: &HeaderMap) -> Self {
        Self { id, condition: conditional::condition(headers) }
    }

    pub(super) async fn apply<R, S, E>(self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
        E: Extension,
    {
        let _permit = api.begin_write()?;
        let document = written(api.store.remove(self.id, self.condition).await?)?;
        api.extension.changed(self.id);
        Ok(answer::json(StatusCode::OK, document.bytes))
    }
}
