//! Logs who has changed what: a line for each change, apart from the access log, and without what
//! was written.

use hyper::header::LOCATION;
use hyper::{Method, Uri};
use store::StoreError;

use super::answer::Answer;
use super::context::RequestContext;
use super::problem::Problem;
use crate::access::{Caller, Guard};

/// How far a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// Of several changes, some were made.
    Part,
    /// Nobody knows whether it was made.
    InDoubt,
}

impl Extent {
    /// How far the change of a request was made; `None` if it was not.
    pub(crate) fn of(result: &Result<Answer, Problem>) -> Option<Self> {
        match result {
            Ok(answer) => answer.status().is_success().then_some(Self::Whole),
            Err(Problem::Store(StoreError::InDoubt { .. })) => Some(Self::InDoubt),
            Err(Problem::Store(StoreError::Partly { .. })) => Some(Self::Part),
            Err(_) => None,
        }
    }

    /// What is logged of a change that was not made as a whole.
    fn note(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Part => Some("in part"),
            Self::InDoubt => Some("in doubt"),
        }
    }
}

/// Logs a change that was made. Nothing is logged on loopback if access is open.
pub(crate) fn log(
    guard: &Guard,
    caller: Caller,
    method: &Method,
    uri: &Uri,
    context: &RequestContext,
    answer: &Answer,
    extent: Option<Extent>,
) {
    let Some(extent) = extent.filter(|_| !method.is_safe()) else { return };
    if guard.loopback && guard.access.is_open() {
        return;
    }
    let who = match caller {
        Caller::Known { holder, .. } => guard.access.name_of(holder),
        Caller::Anonymous | Caller::Unknown => None,
    };
    let who = who.as_deref().unwrap_or("-");
    // What was created has a path of its own.
    let created = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let (what, from, request_id) = (created.unwrap_or(uri.path()), context.client, context.id());
    let made = extent.note();
    tracing::info!(who, %from, %method, what, request_id, made, "audit");
}

#[cfg(test)]
mod tests;
