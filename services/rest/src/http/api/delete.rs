//! `DELETE /{collection}/{id}`: deletes a resource, and answers with what it was, unless
//! that was damaged on the disk.

use hyper::{HeaderMap, StatusCode};
use store::{Condition, ObjectId, Write};

use super::Api;
use crate::extension::Extension;
use crate::http::answer::{self, Answer};
use crate::http::conditional;
use crate::http::problem::{Problem, written};
use crate::resource::Resource;

/// The deletion of a resource.
pub(super) struct Delete {
    id: ObjectId,
    condition: Condition,
}

impl Delete {
    pub(super) fn parse(id: ObjectId, headers: &HeaderMap) -> Self {
        Self { id, condition: conditional::condition(headers) }
    }

    pub(super) async fn apply<R: Resource, E: Extension>(
        self,
        api: &Api<R, E>,
    ) -> Result<Answer, Problem> {
        let _permit = api.begin_write()?;
        let Self { id, condition } = self;
        let removed = written(api.store.write(Write::Remove { id, condition }).await?)?;
        api.extension.written();
        Ok(match removed {
            Some(document) => answer::json(StatusCode::OK, document.bytes),
            None => answer::no_content(),
        })
    }
}
