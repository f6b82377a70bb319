//! Conditional requests (RFC 9110, section 13): formats the tag in `ETag`, parses `If-Match` and
//! `If-None-Match`, and answers reads whose condition does not hold.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::answer::{self, Answer};
use super::encoding::Encoding;
use super::problem::Problem;
use crate::hex;
use crate::store::{Condition, Tag, Tags};

/// The suffix of the entity tags of compressed bytes: they are another representation, which a
/// cache must not confuse with the plain one.
const GZIP_SUFFIX: &str = "-gzip";

/// The entity tag of a representation.
pub(crate) fn entity_tag(tag: Tag, encoding: Encoding) -> HeaderValue {
    let mut text = [b'"'; 1 + 16 + GZIP_SUFFIX.len() + 1];
    hex::write(&tag.0.to_be_bytes(), &mut text[1..17]);
    let mut end = 17;
    if encoding == Encoding::Gzip {
        text[end..end + GZIP_SUFFIX.len()].copy_from_slice(GZIP_SUFFIX.as_bytes());
        end += GZIP_SUFFIX.len();
    }
    HeaderValue::from_bytes(&text[..=end]).expect("a tag is printable ASCII")
}

/// The condition in a request's headers.
pub(crate) fn condition(headers: &HeaderMap) -> Condition {
    Condition {
        // `If-Match` compares strongly (RFC 9110, 13.1.1): weak tags never match.
        matches: tags(headers, &IF_MATCH, false),
        matches_none: tags(headers, &IF_NONE_MATCH, true),
    }
}

/// The answer to a read whose condition does not hold; `None` where it holds. `length` is that
/// of the body, in bytes.
pub(crate) fn unchanged(
    condition: &Condition,
    tag: Tag,
    headers: &HeaderMap,
    length: u64,
) -> Result<Option<Answer>, Problem> {
    if condition.holds(tag) {
        return Ok(None);
    }
    if condition.matches.as_ref().is_some_and(|tags| !tags.contain(tag)) {
        return Err(Problem::PreconditionFailed);
    }
    Ok(Some(answer::not_modified(tag, Encoding::choose(headers, length))))
}

fn tags(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Option<Tags> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let mut found = Vec::new();
    for item in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')) {
        match item.trim_ascii() {
            b"*" => return Some(Tags::Any),
            item => found.extend(parse_tag(item, weak)),
        }
    }
    Some(Tags::OneOf(found))
}

/// Parses a tag; `None` where it cannot be one of ours, and so matches nothing.
fn parse_tag(text: &[u8], weak: bool) -> Option<Tag> {
    let text = match text.strip_prefix(b"W/") {
        Some(text) if weak => text,
        Some(_) => return None,
        None => text,
    };
    let text = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = text.strip_suffix(GZIP_SUFFIX.as_bytes()).unwrap_or(text);
    // `from_str_radix` also accepts a sign.
    if text.len() != 16 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().map(Tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
        values.collect()
    }

    fn if_none_match(values: &[&'static str]) -> Option<Tags> {
        condition(&headers(&IF_NONE_MATCH, values)).matches_none
    }

    #[test]
    fn a_formatted_tag_parses_back() {
        let tag = Tag(0x0123_4567_89ab_cdef);
        assert_eq!(entity_tag(tag, Encoding::Identity), "\"0123456789abcdef\"");
        assert_eq!(entity_tag(tag, Encoding::Gzip), "\"0123456789abcdef-gzip\"");
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let value = entity_tag(tag, encoding);
            assert_eq!(parse_tag(value.as_bytes(), false), Some(tag), "{encoding:?}");
        }
    }

    #[test]
    fn lists_may_span_headers_and_contain_foreign_tags() {
        let one = Tag(1);
        assert_eq!(condition(&HeaderMap::new()), Condition::default());
        let tags = if_none_match(&["\"other\", W/\"0000000000000001\"", "\"0000000000000002\""]);
        assert_eq!(tags, Some(Tags::OneOf(vec![one, Tag(2)])));
        assert_eq!(if_none_match(&["\"x\"", "*"]), Some(Tags::Any));
        for none in ["", "\"", "0000000000000001", "\"+000000000000001\""] {
            assert_eq!(if_none_match(&[none]), Some(Tags::OneOf(Vec::new())), "{none}");
        }
        let weak = headers(&IF_MATCH, &["W/\"0000000000000001\""]);
        assert_eq!(condition(&weak).matches, Some(Tags::OneOf(Vec::new())));
    }
}
