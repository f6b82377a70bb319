//! This module owns the answers: status, headers and JSON body. The sentences under
//! `error` are part of the API; clients of the first EventPost know them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use super::body::BodyError;
use crate::fields::FieldError;
use crate::json::ObjectWriter;
use crate::store::StoreError;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Seconds after which a client may try again when the service cannot write.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("10");

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Why a request to an existing path was not carried out.
#[derive(Debug)]
pub(crate) enum Problem {
    NoSuchResource,
    Body(BodyError),
    Fields(Vec<FieldError>),
    Store(StoreError),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(crate) fn problem(problem: &Problem) -> Answer {
    match problem {
        Problem::NoSuchResource => {
            error(StatusCode::NOT_FOUND, "Resource with specified Id does not exist.", &[])
        }
        Problem::Body(error) => bad_body(error),
        Problem::Fields(problems) => error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Error in data provided in request body.",
            problems,
        ),
        Problem::Store(error) => store_failed(error),
    }
}

pub(crate) fn no_such_path() -> Answer {
    error(StatusCode::NOT_FOUND, "There is nothing at this path.", &[])
}

pub(crate) fn method_not_allowed(allow: &'static str) -> Answer {
    let answer = error(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method.", &[]);
    with_allow(answer, allow)
}

pub(crate) fn options(allow: &'static str) -> Answer {
    with_allow(json(StatusCode::OK, Bytes::new()), allow)
}

fn bad_body(problem: &BodyError) -> Answer {
    let (status, message) = match problem {
        BodyError::Empty => (StatusCode::BAD_REQUEST, "Data not provided in request body.".into()),
        BodyError::TooLarge { limit } => {
            (StatusCode::PAYLOAD_TOO_LARGE, format!("The request body exceeds {limit} bytes."))
        }
        BodyError::TooSlow => {
            (StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time.".into())
        }
        BodyError::Broken => {
            (StatusCode::BAD_REQUEST, "The request body could not be read.".into())
        }
    };
    let mut answer = error(status, &message, &[]);
    if !matches!(problem, BodyError::Empty) {
        // The rest of the body may still be on its way: nothing after it can be read.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// What the store says goes to the log; a client learns only what it can do.
fn store_failed(problem: &StoreError) -> Answer {
    tracing::error!(error = %problem, "the store failed");
    let (status, message) = match problem {
        StoreError::Full { .. } => (
            StatusCode::INSUFFICIENT_STORAGE,
            "There is no room to store this; nothing was changed.",
        ),
        StoreError::Stopped { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The service takes no writes at the moment; nothing was changed.",
        ),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "The service could not use its storage."),
    };
    let mut answer = error(status, message, &[]);
    if status != StatusCode::INTERNAL_SERVER_ERROR {
        answer.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    answer
}

/// The body of an error.
fn error(status: StatusCode, message: &str, details: &[FieldError]) -> Answer {
    let mut body = Vec::with_capacity(128);
    let mut object = ObjectWriter::new(&mut body);
    object.text("error", message);
    if !details.is_empty() {
        object.objects("details", details, |problem, out| {
            out.text("field", problem.field).text("message", &problem.message);
        });
    }
    object.finish();
    json(status, body)
}

fn with_allow(mut answer: Answer, allow: &'static str) -> Answer {
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}
