//! Logs who has changed what: a line for each change, apart from the access log, and without what
//! was written.

use hyper::header::LOCATION;
use hyper::{Method, Uri};

use super::answer::Answer;
use super::context::RequestContext;
use crate::access::{Caller, Guard};

/// Logs a change that was made. Nothing is logged on loopback if access is open.
pub(crate) fn log(
    guard: &Guard,
    caller: Caller,
    method: &Method,
    uri: &Uri,
    context: &RequestContext,
    answer: &Answer,
) {
    if method.is_safe() || !answer.status().is_success() {
        return;
    }
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
    tracing::info!(who, %from, %method, what, request_id, "audit");
}
