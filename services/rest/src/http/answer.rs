//! Builds answers: status, headers and body.

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LINK, LOCATION, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use store::{ObjectId, Tag};

use super::content::Content;
use super::encoding::{self, Encoding};
use super::entity_tag::entity_tag;
use crate::extension::{Caching, PageResponse};

pub(crate) type Answer = Response<Content>;

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, "application/json", Content::from(body.into()))
}

/// A document, compressed where the client accepts that and it is worth it.
pub(crate) fn document(status: StatusCode, plain: Bytes, tag: Tag, headers: &HeaderMap) -> Answer {
    let length = plain.len() as u64;
    let encoding = Encoding::choose(headers, length);
    let body = match encoding {
        Encoding::Identity => plain,
        Encoding::Gzip => encoding::gzip_whole(&plain),
    };
    tagged(status, body.into(), tag, encoding, length)
}

/// A list that clients cannot cache.
pub(crate) fn untagged_list(body: Content) -> Answer {
    content(StatusCode::OK, "application/json", body)
}

/// Metrics in Prometheus's text format.
pub(crate) fn metrics(text: String) -> Answer {
    content(StatusCode::OK, crate::metrics::CONTENT_TYPE, Content::from(Bytes::from(text)))
}

/// A page that is the answer to what was sent.
pub(crate) fn submitted(page: &PageResponse) -> Answer {
    as_page(content(page.status, page.media_type, Content::from(page.body.clone())), page)
}

/// Turns an answer into a page: its media type, how long it may be cached, and what it may do.
pub(crate) fn as_page(mut answer: Answer, page: &PageResponse) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.media_type));
    let caching = match page.caching {
        Caching::Forever => "public, max-age=31536000, immutable",
        Caching::Revalidated => "no-cache",
        Caching::Never => "no-store",
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    // Without any, browsers would not tell where a form of our own comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Some(language) = page.language {
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language));
        headers.append(VARY, HeaderValue::from_static("accept-language"));
    }
    let policy = page.content_security_policy.clone();
    headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    answer
}

/// An answer that clients can cache under a tag. `length` is that of the body before it was
/// encoded: only long ones exist in more than one encoding.
pub(crate) fn tagged(
    status: StatusCode,
    body: Content,
    tag: Tag,
    encoding: Encoding,
    length: u64,
) -> Answer {
    let mut answer = content(status, "application/json", body);
    let headers = answer.headers_mut();
    headers.insert(ETAG, entity_tag(tag, encoding));
    if length >= encoding::MIN_COMPRESSED_BYTES {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// The client's cached copy is still valid.
pub(crate) fn not_modified(tag: Tag, encoding: Encoding) -> Answer {
    let mut answer = Response::new(Content::from(Bytes::new()));
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer.headers_mut().insert(ETAG, entity_tag(tag, encoding));
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer
}

/// It was done, and there is nothing to show.
pub(crate) fn no_content() -> Answer {
    let mut answer = Response::new(Content::from(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Adds the location of the resource that was created.
pub(crate) fn with_location(mut answer: Answer, collection: &str, id: ObjectId) -> Answer {
    let path = [b"/", collection.as_bytes(), b"/", &id.hex()].concat();
    let location = HeaderValue::from_maybe_shared(Bytes::from(path));
    answer.headers_mut().insert(LOCATION, location.expect("a path of ours is visible ASCII"));
    answer
}

/// Adds the link to the next page (RFC 8288), given its query.
pub(crate) fn with_next(mut answer: Answer, collection: &str, query: &str) -> Answer {
    let link = format!("</{collection}?{query}>; rel=\"next\"");
    let link = HeaderValue::from_maybe_shared(Bytes::from(link));
    answer.headers_mut().insert(LINK, link.expect("a path of ours is visible ASCII"));
    answer
}

/// Adds the methods that the path allows.
pub(crate) fn with_allow(mut answer: Answer, allow: &'static str) -> Answer {
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

pub(crate) fn options(allow: &'static str) -> Answer {
    with_allow(json(StatusCode::OK, Bytes::new()), allow)
}

/// Forbids browsers and proxies to keep an answer.
pub(crate) fn forbid_caching(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn content(status: StatusCode, media_type: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Browsers must not take what users have written for a page or a script.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
