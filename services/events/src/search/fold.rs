//! Folds texts, so that they are compared without case and accents.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The text in lower case, without accents.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower case first: the lower case of some capitals has combining marks.
    text.chars().flat_map(char::to_lowercase).nfd().filter(|c| !is_combining_mark(*c)).collect()
}

/// The topics of a comma-separated list, folded.
pub(super) fn topics(list: &str) -> impl Iterator<Item = String> {
    let topics = list.split(',').map(|topic| fold(topic.trim()));
    topics.filter(|topic| !topic.is_empty()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_are_ignored() {
        for (one, other) in [
            ("Café", "CAFE"),
            ("Ñandú", "nandu"),
            ("ÉCOLE", "école"),
            ("İstanbul", "istanbul"),
            ("e\u{301}t\u{e9}", "ETE"),
            ("Ελλάδα", "ελλαδα"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("straße"), fold("strasse"), "letters are not replaced by others");
    }

    #[test]
    fn topics_are_separated() {
        assert_eq!(topics(" Música ,, Rock&Roll,").collect::<Vec<_>>(), ["musica", "rock&roll"]);
    }
}
