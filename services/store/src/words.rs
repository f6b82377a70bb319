//! Folds texts and cuts them into words, the same way for every engine, for documents and for
//! queries.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longer words are cut off here, in characters, in documents and queries alike.
pub const MAX_WORD_LENGTH: usize = 64;

/// The text in lower case, without accents.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower case first: the lower case of some capitals has combining marks.
    text.chars().flat_map(char::to_lowercase).nfd().filter(|c| !is_combining_mark(*c)).collect()
}

/// The folded words of a text: its longest runs of letters and digits. Everything else separates
/// words. One that occurs twice is returned twice.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let cut = |word: &str| word.chars().take(MAX_WORD_LENGTH).collect::<String>();
    words.map(cut).collect::<Vec<_>>().into_iter()
}

/// The topics of a comma-separated list, folded.
pub fn topics(list: &str) -> impl Iterator<Item = String> {
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
    fn words_are_what_letters_and_digits_are_between_other_characters() {
        let cut = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(
            cut("Rock&Roll, \"NEAR\" (or) café-1"),
            ["rock", "roll", "near", "or", "cafe", "1"]
        );
        assert_eq!(cut(" -*\"' "), [""; 0]);
        assert_eq!(cut("e\u{301}te\u{301} 東京"), ["ete", "東京"]);
        assert_eq!(cut(&"ä".repeat(70)), ["a".repeat(64)]);
    }

    #[test]
    fn topics_are_separated() {
        assert_eq!(topics(" Música ,, Rock&Roll,").collect::<Vec<_>>(), ["musica", "rock&roll"]);
    }
}
