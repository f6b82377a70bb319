//! Formats and parses entity tags (RFC 9110, section 8.8.3).

use hyper::header::HeaderValue;
use store::{Tag, hex};

use super::encoding::Encoding;

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

/// Parses a tag; `None` if it cannot be one of ours, and so matches nothing.
pub(super) fn parse_tag(text: &[u8], weak: bool) -> Option<Tag> {
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
}
