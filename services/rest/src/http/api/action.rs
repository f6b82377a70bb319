//! `POST /{collection}/{id}/{action}` and `POST /{collection}/{action}`: runs an action of the
//! extension on a resource, or on all that a query selects.

use hyper::StatusCode;
use store::ObjectId;

use super::Api;
use crate::extension::{ActionError, ActionOutcome, Extension};
use crate::http::answer::{self, Answer};
use crate::http::problem::Problem;
use crate::resource::Resource;

/// An action on a resource.
pub(super) struct Action {
    pub(super) id: ObjectId,
    pub(super) action: &'static str,
}

impl Action {
    pub(super) async fn apply<R, E>(self, api: &Api<R, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        E: Extension,
    {
        let permit = api.begin_write()?;
        let outcome = api.extension.run_action(self.id, self.action).await?;
        drop(permit);
        match outcome {
            ActionOutcome::Accepted => api.answer_extended(self.id, StatusCode::ACCEPTED).await,
            ActionOutcome::NotFound => Err(Problem::NoSuchResource),
            ActionOutcome::Refused(reason) => Err(Problem::Conflict(reason)),
        }
    }
}

/// An action on all resources that a query selects.
pub(super) struct ActionOnAll<'a> {
    pub(super) action: &'static str,
    pub(super) query: &'a str,
}

impl ActionOnAll<'_> {
    pub(super) async fn apply<R, E>(self, api: &Api<R, E>) -> Result<Answer, Problem>
    where
        R: Resource,
        E: Extension,
    {
        let _permit = api.begin_write()?;
        match api.extension.run_on_all(self.action, self.query).await {
            Ok(body) => Ok(answer::json(StatusCode::ACCEPTED, body)),
            Err(ActionError::Query(problems)) => Err(Problem::Query(problems)),
            Err(ActionError::Refused(reason)) => Err(Problem::Conflict(reason)),
            Err(ActionError::Store(error)) => Err(error.into()),
        }
    }
}
