//! Tags of documents, and the conditions on them under which a request is carried out.

use xxhash_rust::xxh3::xxh3_64;

/// What a document's content is recognised by. It depends on nothing else, so it
/// outlives restarts, backups and other engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

impl Tag {
    /// The tag of a document: its XXH3, of 64 bits.
    pub fn of(document: &[u8]) -> Self {
        Self(xxh3_64(document))
    }
}

/// The tags that a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// Whatever there is.
    Any,
    /// One of these.
    OneOf(Vec<Tag>),
}

impl Tags {
    /// Whether a document's tag is among them.
    pub fn contain(&self, tag: Tag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.contains(&tag),
        }
    }
}

/// What must be true of a document for a request to be carried out on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Its tag is one of these.
    pub matches: Option<Tags>,
    /// Its tag is none of these.
    pub matches_none: Option<Tags>,
}

impl Condition {
    /// That the tag is this one.
    pub fn only(tag: Tag) -> Self {
        Self { matches: Some(Tags::OneOf(vec![tag])), matches_none: None }
    }

    /// Whether it holds for every document, which then need not be read.
    pub fn is_always_true(&self) -> bool {
        self.matches.is_none() && self.matches_none.is_none()
    }

    /// Whether it holds for a document.
    pub fn holds(&self, tag: Tag) -> bool {
        self.matches.as_ref().is_none_or(|tags| tags.contain(tag))
            && self.matches_none.as_ref().is_none_or(|tags| !tags.contain(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_the_same_on_every_machine_and_version() {
        // The reference value of XXH3 with seed 0 for empty input.
        assert_eq!(Tag::of(b""), Tag(0x2d06_8005_38d3_94c2));
    }

    #[test]
    fn a_condition_holds_as_it_says() {
        let (one, two) = (Tag(1), Tag(2));
        let only = |tag| Some(Tags::OneOf(vec![tag]));
        let condition = |matches, matches_none| Condition { matches, matches_none };
        assert!(Condition::default().holds(one));
        assert!(condition(only(one), None).holds(one));
        assert!(!condition(only(one), None).holds(two));
        assert!(condition(Some(Tags::Any), only(one)).holds(two));
        assert!(!condition(Some(Tags::Any), only(one)).holds(one));
        assert!(!condition(None, Some(Tags::Any)).holds(one));
    }
}
