//! Builds the answers: status, headers and JSON body. The sentences under `error` are part of
//! the API; clients of the first EventPost know them.

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderValue, LINK, LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::body::BodyError;
use super::conditional::entity_tag;
use super::content::Content;
use super::encoding::{self, Encoding};
use crate::access::tokens::Role;
use crate::extension::{NoSelection, Shown};
use crate::fields::FieldError;
use crate::id::ObjectId;
use crate::json::ObjectWriter;
use crate::store::{StoreError, Tag};

pub(crate) type Answer = Response<Content>;

/// Seconds after which a client may try again when the service cannot write or is
/// busy.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("10");

/// What an answer says of the token that it wants (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"eventpost\"";
const INVALID_TOKEN: &str = "Bearer realm=\"eventpost\", error=\"invalid_token\"";
const NEEDS_READ: &str = "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"read\"";
const NEEDS_WRITE: &str =
    "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"write\"";
const NEEDS_ADMIN: &str =
    "Bearer realm=\"eventpost\", error=\"insufficient_scope\", scope=\"admin\"";

const NO_WRITES: &str = "The service takes no writes at the moment; nothing was changed.";

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, "application/json", Content::from(body.into()))
}

/// A list that nobody keeps.
pub(crate) fn list(body: Content) -> Answer {
    content(StatusCode::OK, "application/json", body)
}

/// Metrics, as Prometheus reads them.
pub(crate) fn metrics(text: String) -> Answer {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    content(StatusCode::OK, kind, Content::from(Bytes::from(text)))
}

/// Has an answer be a page: its kind, how long it may be kept, and what it may do.
pub(crate) fn as_shown(mut answer: Answer, shown: &Shown) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(shown.kind));
    let keep = if shown.lasts { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.extend(shown.policy.clone().map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    answer
}

/// An answer with a body that a client may keep, under a tag. `bytes` is its length
/// before it was encoded: only long ones come in more than one encoding.
pub(crate) fn tagged(
    status: StatusCode,
    body: Content,
    tag: Tag,
    encoding: Encoding,
    bytes: u64,
) -> Answer {
    let mut answer = content(status, "application/json", body);
    let headers = answer.headers_mut();
    headers.insert(ETAG, entity_tag(tag, encoding));
    if bytes >= encoding::WORTHWHILE {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// What the client has is still what there is.
pub(crate) fn not_modified(tag: Tag, encoding: Encoding) -> Answer {
    let mut answer = Response::new(Content::from(Bytes::new()));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer.headers_mut().insert(ETAG, entity_tag(tag, encoding));
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer
}

/// Says where what was made can be found.
pub(crate) fn with_location(mut answer: Answer, collection: &str, id: ObjectId) -> Answer {
    let path = [b"/", collection.as_bytes(), b"/", &id.hex()].concat();
    let location = HeaderValue::from_maybe_shared(Bytes::from(path));
    answer.headers_mut().insert(LOCATION, location.expect("a path of ours is visible ASCII"));
    answer
}

/// Says where the page after this one is (RFC 8288), by its query.
pub(crate) fn with_next(mut answer: Answer, collection: &str, query: &str) -> Answer {
    let link = format!("</{collection}?{query}>; rel=\"next\"");
    let link = HeaderValue::from_maybe_shared(Bytes::from(link));
    answer.headers_mut().insert(LINK, link.expect("a path of ours is visible ASCII"));
    answer
}

fn content(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // What users have written is never taken for a page or a script.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It does not say for which host it is, or says so more than once.
    Host,
    /// It is for another host.
    Misdirected,
    /// It needs a token.
    Unauthorized {
        /// There is one, but it is not valid.
        given: bool,
    },
    /// Its token does not allow this.
    Forbidden {
        /// The least role that does.
        needs: Role,
    },
    /// A page that may not use the service sends it.
    ForeignOrigin,
    NoSuchPath,
    Method {
        /// The methods that the path takes.
        allow: &'static str,
    },
    NoSuchResource,
    Query(Vec<FieldError>),
    Body(BodyError),
    Fields(Vec<FieldError>),
    ConditionFailed,
    /// Writes are refused for a while.
    ReadOnly,
    /// It cannot be done to the resource as it is; the reason, as a sentence.
    Conflict(&'static str),
    Store(StoreError),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<NoSelection> for Problem {
    fn from(none: NoSelection) -> Self {
        match none {
            NoSelection::Query(problems) => Self::Query(problems),
            NoSelection::NotFound => Self::NoSuchResource,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(crate) fn problem(problem: &Problem) -> Answer {
    match problem {
        Problem::Host => {
            let message = "The request must have one Host header.";
            closing(error(StatusCode::BAD_REQUEST, message, &[]))
        }
        Problem::Misdirected => {
            let message =
                "This service listens on loopback only: use localhost or its address as the host.";
            error(StatusCode::MISDIRECTED_REQUEST, message, &[])
        }
        Problem::Unauthorized { given: false } => {
            let message = "An access token is required: send `Authorization: Bearer TOKEN`.";
            with_challenge(error(StatusCode::UNAUTHORIZED, message, &[]), CHALLENGE)
        }
        Problem::Unauthorized { given: true } => {
            let message = "The access token is not valid, or has expired.";
            with_challenge(error(StatusCode::UNAUTHORIZED, message, &[]), INVALID_TOKEN)
        }
        Problem::Forbidden { needs } => {
            let message = format!("This needs an access token with the role {needs}.");
            let challenge = match needs {
                Role::Read => NEEDS_READ,
                Role::Write => NEEDS_WRITE,
                Role::Admin => NEEDS_ADMIN,
            };
            with_challenge(error(StatusCode::FORBIDDEN, &message, &[]), challenge)
        }
        Problem::ForeignOrigin => {
            let message = "Changes from pages of other origins are not allowed.";
            let mut answer = error(StatusCode::FORBIDDEN, message, &[]);
            keep_private(answer.headers_mut());
            answer
        }
        Problem::NoSuchPath => error(StatusCode::NOT_FOUND, "There is nothing at this path.", &[]),
        Problem::Method { allow } => {
            let message = "Method not allowed.";
            with_allow(error(StatusCode::METHOD_NOT_ALLOWED, message, &[]), allow)
        }
        Problem::NoSuchResource => {
            error(StatusCode::NOT_FOUND, "Resource with specified Id does not exist.", &[])
        }
        Problem::Query(problems) => {
            error(StatusCode::BAD_REQUEST, "Error in query parameters.", problems)
        }
        Problem::Body(error) => bad_body(error),
        Problem::Fields(problems) => error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Error in data provided in request body.",
            problems,
        ),
        Problem::ConditionFailed => {
            let message = "Precondition failed: the resource has changed.";
            error(StatusCode::PRECONDITION_FAILED, message, &[])
        }
        Problem::Conflict(reason) => error(StatusCode::CONFLICT, reason, &[]),
        Problem::ReadOnly => retry_later(error(StatusCode::SERVICE_UNAVAILABLE, NO_WRITES, &[])),
        Problem::Store(error) => store_failed(error),
    }
}

pub(crate) fn options(allow: &'static str) -> Answer {
    with_allow(json(StatusCode::OK, Bytes::new()), allow)
}

fn bad_body(problem: &BodyError) -> Answer {
    let (status, message) = match problem {
        BodyError::Empty => {
            return error(StatusCode::BAD_REQUEST, "Data not provided in request body.", &[]);
        }
        BodyError::TooLarge { limit } => {
            (StatusCode::PAYLOAD_TOO_LARGE, format!("The request body exceeds {limit} bytes."))
        }
        BodyError::TooSlow => {
            (StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time.".into())
        }
        BodyError::Broken => {
            (StatusCode::BAD_REQUEST, "The request body could not be read.".into())
        }
        BodyError::NoRoom => {
            (StatusCode::SERVICE_UNAVAILABLE, "The service is busy; nothing was changed.".into())
        }
    };
    let answer = error(status, &message, &[]);
    let answer = if matches!(problem, BodyError::NoRoom) { retry_later(answer) } else { answer };
    // The rest of the body may still be on its way: nothing after it can be read.
    closing(answer)
}

/// What the store says goes to the log; a client learns only what it can do.
fn store_failed(problem: &StoreError) -> Answer {
    let (status, message) = match problem {
        StoreError::Full { .. } => (
            StatusCode::INSUFFICIENT_STORAGE,
            "There is no room to store this; nothing was changed.",
        ),
        StoreError::Stopped { .. } => (StatusCode::SERVICE_UNAVAILABLE, NO_WRITES),
        _ => {
            let message = "The service could not use its storage.";
            return error(StatusCode::INTERNAL_SERVER_ERROR, message, &[]);
        }
    };
    retry_later(error(status, message, &[]))
}

fn with_challenge(mut answer: Answer, challenge: &'static str) -> Answer {
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    keep_private(answer.headers_mut());
    answer
}

/// Has nobody on the way keep an answer.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn retry_later(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    answer
}

fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
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
