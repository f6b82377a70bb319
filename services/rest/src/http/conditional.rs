//! Conditional requests (RFC 9110, section 13): parses `If-Match` and `If-None-Match`, and answers
//! reads whose condition does not hold.

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use store::{Condition, Tag, Tags};

use super::answer::{self, Answer};
use super::encoding::Encoding;
use super::entity_tag::parse_tag;
use super::problem::Problem;

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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
        values.collect()
    }

    fn if_none_match(values: &[&'static str]) -> Option<Tags> {
        condition(&headers(&IF_NONE_MATCH, values)).matches_none
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
