//! The pages behind the links in mails.

use askama::Template;
use hyper::StatusCode;
use pages::{Assets, ConfirmTexts, Frame, Language, UnsubscribeTexts, fill, html, policy};
use rest::extension::{Caching, PageResponse};

use super::stored::StoredReminder;

/// Renders pages in a language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages<'a> {
    assets: &'a Assets,
    language: Language,
}

/// Asks the addressee to confirm.
#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm<'a> {
    frame: Frame<'a>,
    texts: &'static ConfirmTexts,
    question: String,
    title: &'a str,
    when: &'a str,
}

/// Asks whether all mails are to end, or says that they have.
#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct Unsubscribe<'a> {
    frame: Frame<'a>,
    texts: &'static UnsubscribeTexts,
    is_suppressed: bool,
}

/// A heading and a text.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    frame: Frame<'a>,
    heading: &'a str,
    text: &'a str,
}

impl<'a> Pages<'a> {
    pub(super) fn new(assets: &'a Assets, language: Language) -> Self {
        Self { assets, language }
    }

    /// The page whose button confirms a reminder.
    pub(super) fn confirm(self, to_mail: &str, reminder: &StoredReminder) -> PageResponse {
        let texts = &self.language.texts().confirm;
        let page = Confirm {
            frame: self.frame(),
            texts,
            question: fill(&texts.question, &[("address", to_mail)]),
            title: &reminder.title,
            when: &reminder.when,
        };
        self.response(StatusCode::OK, &page)
    }

    /// A reminder is confirmed.
    pub(super) fn confirmed(self, to_mail: &str) -> PageResponse {
        let texts = &self.language.texts().confirm;
        let text = fill(&texts.done, &[("address", to_mail)]);
        self.message(StatusCode::OK, &texts.done_heading, &text)
    }

    /// A reminder cannot be confirmed any more.
    pub(super) fn expired(self) -> PageResponse {
        let texts = &self.language.texts().confirm;
        self.message(StatusCode::NOT_FOUND, &texts.expired_heading, &texts.expired)
    }

    /// The page whose button ends all mails, or allows them again.
    pub(super) fn unsubscribe(self, is_suppressed: bool) -> PageResponse {
        let texts = &self.language.texts().unsubscribe;
        let page = Unsubscribe { frame: self.frame(), texts, is_suppressed };
        self.response(StatusCode::OK, &page)
    }

    /// Mails are sent again.
    pub(super) fn undone(self) -> PageResponse {
        let texts = &self.language.texts().unsubscribe;
        self.message(StatusCode::OK, &texts.undone_heading, &texts.undone)
    }

    /// The link that ends mails is not valid.
    pub(super) fn invalid(self) -> PageResponse {
        let texts = &self.language.texts().unsubscribe;
        self.message(StatusCode::NOT_FOUND, &texts.invalid_heading, &texts.invalid)
    }

    fn message(self, status: StatusCode, heading: &str, text: &str) -> PageResponse {
        self.response(status, &Message { frame: self.frame(), heading, text })
    }

    fn frame(self) -> Frame<'a> {
        Frame::new(self.assets, self.language, false)
    }

    fn response(self, status: StatusCode, page: &impl Template) -> PageResponse {
        // Rendering into a string cannot fail.
        let body = page.render().unwrap_or_default();
        PageResponse {
            // It is about one person.
            caching: Caching::Never,
            content_security_policy: Some(policy(None)),
            ..html(status, body, self.language)
        }
    }
}
