//! What documents are found by, the same for every engine: tokens of "w" and a word, "p" and a
//! word of the place, "t" and a topic in hexadecimal digits.

use crate::{Search, SearchFacts, hex};

/// Beginnings of words that a search looks for.
const MAX_BEGINNINGS: usize = 32;

/// Which words a token is of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Text,
    Place,
}

/// The token of a word. Only letters and digits become part of it: whatever a caller takes for a
/// word cannot end a token or the query around it.
fn word(of: Of, word: &str) -> Option<String> {
    let mut token = String::with_capacity(word.len() + 1);
    token.push(match of {
        Of::Text => 'w',
        Of::Place => 'p',
    });
    token.extend(word.chars().filter(|c| c.is_alphanumeric()));
    (token.len() > 1).then_some(token)
}

/// The token of a topic, of which all characters count.
pub(crate) fn topic(topic: &str) -> String {
    format!("t{}", hex::of(topic.as_bytes()))
}

fn of_words(words: &[String], place: &[String]) -> Vec<String> {
    let words = words.iter().filter_map(|it| word(Of::Text, it));
    words.chain(place.iter().filter_map(|it| word(Of::Place, it))).collect()
}

/// The tokens of a document, each once, with a space between two.
pub(crate) fn of_facts(facts: &SearchFacts) -> String {
    let mut tokens = of_words(&facts.words, &facts.place);
    tokens.extend(facts.topics.iter().map(|it| topic(it)));
    tokens.sort_unstable();
    tokens.dedup();
    tokens.join(" ")
}

/// The beginnings of tokens that a document must have to be found, those that begin the fewest
/// words first.
pub(crate) fn beginnings(search: &Search) -> Vec<String> {
    let mut tokens = of_words(&search.words, &search.place);
    tokens.sort_unstable();
    without_beginnings(&mut tokens);
    keep_longest(&mut tokens);
    tokens
}

/// Leaves out what begins another word, since it is found with that one. The tokens are sorted.
fn without_beginnings(tokens: &mut Vec<String>) {
    tokens.dedup_by(|next, token| {
        let begins = next.starts_with(token.as_str());
        if begins {
            std::mem::swap(next, token);
        }
        begins
    });
}

/// Puts the longest first, which begin the fewest words, and leaves out the shortest of too many.
fn keep_longest(tokens: &mut Vec<String>) {
    tokens.sort_by_key(|token| std::cmp::Reverse(token.chars().count()));
    tokens.truncate(MAX_BEGINNINGS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_begin_others_are_not_asked_for() {
        let mut tokens = ["pm", "wa", "wm", "wmus", "wmusic"].map(String::from).to_vec();
        without_beginnings(&mut tokens);
        assert_eq!(tokens, ["pm", "wa", "wmusic"]);
    }

    #[test]
    fn the_longest_of_too_many_words_are_asked_for() {
        let mut tokens: Vec<_> = (0..40).map(|n| format!("w{}", "x".repeat(n + 1))).collect();
        keep_longest(&mut tokens);
        assert_eq!(tokens.len(), MAX_BEGINNINGS);
        assert_eq!((tokens[0].len(), tokens[MAX_BEGINNINGS - 1].len()), (41, 10));
    }

    #[test]
    fn tokens_tell_words_places_and_topics_apart() {
        let facts = SearchFacts {
            at: 0,
            words: ["cafe", "a", "cafe", "--"].map(Into::into).into(),
            place: vec!["paris".into()],
            topics: vec!["a b".into()],
        };
        assert_eq!(of_facts(&facts), "pparis t612062 wa wcafe");
    }
}
