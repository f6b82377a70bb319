//! Why a request was not carried out, and the answer to it. The sentences under `error` are
//! part of the API: clients of the first EventPost know some of them.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use store::{Document, StoreError, WriteOutcome};

use super::answer::{self, Answer};
use super::body::BodyError;
use crate::access::tokens::Role;
use crate::extension::{SelectError, SubmitError};
use crate::fields::FieldError;
use crate::json::ObjectWriter;
use crate::limits::TooMuch;

/// Seconds after which a client may try again when the service cannot write or is busy.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("10");

/// `WWW-Authenticate` of the answers that require a token (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"eventpost\"";
const INVALID_TOKEN: &str = "Bearer realm=\"eventpost\", error=\"invalid_token\"";
const NEEDS_READ: &str = "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"read\"";
const NEEDS_WRITE: &str =
    "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"write\"";
const NEEDS_ADMIN: &str =
    "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"admin\"";

const BUSY: &str = "The service is busy; nothing was changed.";
const READ_ONLY: &str = "The service is read-only at the moment; nothing was changed.";

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It has no `Host` header, or more than one.
    Host,
    /// Its `Host` is not that of this machine, where the service listens on loopback.
    Misdirected,
    /// It needs a token.
    Unauthorized {
        /// It has one, which is not valid.
        has_token: bool,
    },
    /// Its token does not allow this.
    Forbidden {
        /// The least role that does.
        needs: Role,
    },
    /// It comes from a page that may not use the service.
    ForeignOrigin,
    NoSuchPath,
    Method {
        /// The methods that the path allows.
        allow: &'static str,
    },
    NoSuchResource,
    Query(Vec<FieldError>),
    /// A parameter has a value of the right form that is too great.
    Range(Vec<FieldError>),
    Body(BodyError),
    Fields(Vec<FieldError>),
    PreconditionFailed,
    /// Writes are refused for a while.
    ReadOnly,
    /// The client sends more than it may.
    TooManyRequests {
        /// How long it must wait.
        wait: Duration,
    },
    /// The client reads more at once than it may.
    TooManyAnswers,
    /// The state of the resource does not allow it; the reason, as a sentence.
    Conflict(&'static str),
    Store(StoreError),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<SelectError> for Problem {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Query(problems) => Self::Query(problems),
            SelectError::NotFound => Self::NoSuchResource,
            SelectError::Store(error) => Self::Store(error),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Fields(problems) => Self::Fields(problems),
            SubmitError::Refused(reason) => Self::Conflict(reason),
            SubmitError::TooMany(wait) => Self::TooManyRequests { wait },
            SubmitError::Store(error) => Self::Store(error),
        }
    }
}

impl From<TooMuch> for Problem {
    fn from(_: TooMuch) -> Self {
        Self::TooManyAnswers
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The document that a write has created.
pub(crate) fn created(outcome: WriteOutcome) -> Result<Document, Problem> {
    match outcome {
        WriteOutcome::Created(document) => Ok(document),
        // No condition was given.
        _ => Err(Problem::PreconditionFailed),
    }
}

/// The document that a write removed, if any, or why it was not made.
pub(crate) fn written(outcome: WriteOutcome) -> Result<Option<Document>, Problem> {
    match outcome {
        WriteOutcome::Created(_) => Ok(None),
        WriteOutcome::Done(removed) => Ok(removed),
        WriteOutcome::NotFound => Err(Problem::NoSuchResource),
        WriteOutcome::ConditionFailed => Err(Problem::PreconditionFailed),
    }
}

/// What a failure of the store means to a client.
fn status_of(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Full { .. }
        | StoreError::Reserve { .. }
        | StoreError::TooManyBytes { .. }
        | StoreError::TooManyDocuments { .. } => StatusCode::INSUFFICIENT_STORAGE,
        StoreError::Busy { .. }
        | StoreError::Unavailable { .. }
        | StoreError::InDoubt { .. }
        | StoreError::Stopped { .. }
        | StoreError::Interrupted
        | StoreError::Damaged { .. }
        | StoreError::DamagedDocument { .. } => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::Partly { cause, .. } => status_of(cause),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a failure of the store means, without what only the operator may know.
pub(crate) fn message_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full { .. } | StoreError::Reserve { .. } => {
            "The disk is full; nothing was changed."
        }
        StoreError::TooManyBytes { .. } | StoreError::TooManyDocuments { .. } => {
            "The service holds as much as it may; nothing was changed."
        }
        StoreError::Busy { .. } | StoreError::Interrupted => BUSY,
        StoreError::Unavailable { .. } => {
            "The database cannot be used at the moment; nothing was changed."
        }
        StoreError::InDoubt { .. } => {
            "The connection to the database was lost: the change may have been made. Check before you \
             retry."
        }
        StoreError::Partly { .. } => {
            "Some were changed before the storage failed. Repeat the request for the others."
        }
        StoreError::Stopped { .. } => READ_ONLY,
        StoreError::Damaged { .. } => "The data are damaged on the disk.",
        StoreError::DamagedDocument { .. } => "The resource is damaged on the disk.",
        _ => "The storage failed.",
    }
}

impl Problem {
    /// The answer to the request.
    pub(crate) fn answer(&self) -> Answer {
        let answer = error(self.status(), &self.message(), self.details());
        match self {
            Self::Unauthorized { has_token: false } => with_challenge(answer, CHALLENGE),
            Self::Unauthorized { has_token: true } => with_challenge(answer, INVALID_TOKEN),
            Self::Forbidden { needs: Role::Read } => with_challenge(answer, NEEDS_READ),
            Self::Forbidden { needs: Role::Write } => with_challenge(answer, NEEDS_WRITE),
            Self::Forbidden { needs: Role::Admin } => with_challenge(answer, NEEDS_ADMIN),
            Self::ForeignOrigin => without_caching(answer),
            Self::Method { allow } => answer::with_allow(answer, allow),
            // The rest of the body may still be arriving: nothing after it can be read.
            Self::Body(BodyError::NoRoom | BodyError::TooMany) => closing(with_retry_after(answer)),
            Self::TooManyRequests { wait } => {
                // Whole seconds, and never none.
                with_retry_after_seconds(answer, HeaderValue::from(wait.as_secs() + 1))
            }
            Self::Host => closing(answer),
            Self::Body(error) if !matches!(error, BodyError::Empty) => closing(answer),
            Self::ReadOnly | Self::TooManyAnswers => with_retry_after(answer),
            // Whoever repeats such a write may make it twice.
            Self::Store(StoreError::InDoubt { .. }) => answer,
            Self::Store(error) if status_of(error) != StatusCode::INTERNAL_SERVER_ERROR => {
                with_retry_after(answer)
            }
            _ => answer,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Host | Self::Query(_) | Self::Body(BodyError::Empty | BodyError::Broken) => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::NoSuchPath | Self::NoSuchResource => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooManyRequests { .. }
            | Self::TooManyAnswers
            | Self::Body(BodyError::TooMany) => StatusCode::TOO_MANY_REQUESTS,
            Self::Body(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Fields(_) | Self::Range(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body(BodyError::NoRoom) | Self::ReadOnly => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) => status_of(error),
        }
    }

    /// The sentence under `error`. What the store says is for the log: a client learns only
    /// what it can do.
    fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Host => "The request must have exactly one Host header.",
            Self::Misdirected => {
                "This service listens on loopback only: use localhost or its address as the host."
            }
            Self::Unauthorized { has_token: false } => {
                "An access token is required: send `Authorization: Bearer TOKEN`."
            }
            Self::Unauthorized { has_token: true } => {
                "The access token is not valid, or has expired."
            }
            Self::Forbidden { needs } => {
                return format!("This needs an access token with the role {needs}.").into();
            }
            Self::ForeignOrigin => "Changes from pages of other origins are not allowed.",
            Self::NoSuchPath => "Path not found.",
            Self::Method { .. } => "Method not allowed.",
            Self::NoSuchResource => "Resource with specified Id does not exist.",
            Self::Query(_) | Self::Range(_) => "Error in query parameters.",
            Self::Body(BodyError::Empty) => "Data not provided in request body.",
            Self::Body(BodyError::TooLarge { limit }) => {
                return format!("The request body exceeds {limit} bytes.").into();
            }
            Self::Body(BodyError::TooSlow) => "The request body did not arrive in time.",
            Self::Body(BodyError::Broken) => "The request body could not be read.",
            Self::Body(BodyError::NoRoom) => BUSY,
            Self::Body(BodyError::TooMany) => "Too many request bodies at once from this client.",
            Self::TooManyRequests { .. } => "Too many requests: slow down.",
            Self::TooManyAnswers => "Too many long answers at once to this client.",
            Self::Fields(_) => "Error in data provided in request body.",
            Self::PreconditionFailed => "Precondition failed: the resource has changed.",
            Self::Conflict(reason) => reason,
            Self::ReadOnly => READ_ONLY,
            Self::Store(error) => message_of(error),
        })
    }

    /// What is wrong with each field or parameter.
    fn details(&self) -> &[FieldError] {
        match self {
            Self::Query(problems) | Self::Range(problems) | Self::Fields(problems) => problems,
            _ => &[],
        }
    }
}

/// An answer with the body of an error.
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
    answer::json(status, body)
}

fn with_challenge(mut answer: Answer, challenge: &'static str) -> Answer {
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    without_caching(answer)
}

fn without_caching(mut answer: Answer) -> Answer {
    answer::forbid_caching(answer.headers_mut());
    answer
}

fn with_retry_after(answer: Answer) -> Answer {
    with_retry_after_seconds(answer, RETRY_SECONDS)
}

fn with_retry_after_seconds(mut answer: Answer, seconds: HeaderValue) -> Answer {
    answer.headers_mut().insert(RETRY_AFTER, seconds);
    answer
}

/// Closes the connection after the answer.
fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
