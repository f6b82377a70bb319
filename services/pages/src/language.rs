//! The languages of pages and mails.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
}

/// How the language of a page is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LanguageSetting {
    /// The one that the browser prefers (Accept-Language), else English
    #[default]
    Auto,
    /// English
    En,
    /// Spanish
    Es,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// Its tag ([BCP 47](https://www.rfc-editor.org/info/bcp47)).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language that a client prefers of those there are, given its `Accept-Language`
    /// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4)).
    pub fn preferred(accepted: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in accepted.split(',') {
            let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
            let primary = range.trim().split('-').next().unwrap_or_default();
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(weight) => weight.trim().parse().unwrap_or(0.0),
                None => 1.0,
            };
            let language = Self::ALL.into_iter().find(|it| it.tag().eq_ignore_ascii_case(primary));
            // Of equal ones the first counts.
            if let Some(language) = language.filter(|_| weight > best.1) {
                best = (language, weight);
            }
        }
        best.0
    }
}

impl LanguageSetting {
    /// The language of a page for a client with this `Accept-Language`.
    pub fn of(self, accepted: &str) -> Language {
        match self {
            Self::Auto => Language::preferred(accepted),
            Self::En => Language::English,
            Self::Es => Language::Spanish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_preferred() {
        for (accepted, expected) in [
            ("", Language::English),
            ("*", Language::English),
            ("es", Language::Spanish),
            ("ES-mx, en", Language::Spanish),
            ("de, es;q=0.5", Language::Spanish),
            ("en;q=0.5, es;q=0.9", Language::Spanish),
            ("en, es", Language::English),
            ("es;q=0", Language::English),
            ("est", Language::English),
            ("es;q=x", Language::English),
        ] {
            assert_eq!(Language::preferred(accepted), expected, "{accepted}");
        }
        assert_eq!(LanguageSetting::Es.of("en"), Language::Spanish);
    }
}
