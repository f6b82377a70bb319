//! `POST /{collection}/{id}/{action}`: runs an action of the extension on a resource.

use hyper::StatusCode;

use super::Api;
use crate::extension::{ActionOutcome, Extension};
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::id::ObjectId;
use crate::resource::Resource;
use crate::store::Store;

/// An action on a resource.
pub(super) struct Action {
    pub(super) id: ObjectId,
    pub(super) action: &'static str,
}

impl Action {
    pub(super) async fn apply<R, S, E>(self, api: &Api<R, S, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        S: Store,
        E: Extension,
    {
        let permit = api.begin_write()?;
        let outcome = api.extension.run_action(self.id, self.action);
        drop(permit);
        match outcome {
            ActionOutcome::Accepted => {
                api.answer_with_extra_fields(self.id, StatusCode::ACCEPTED).await
            }
            ActionOutcome::NotFound => Err(Problem::NoSuchResource),
            ActionOutcome::Refused(reason) => Err(Problem::Conflict(reason)),
        }
    }
}
