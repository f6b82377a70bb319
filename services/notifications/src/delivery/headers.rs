//! Headers of mails that the library does not have.

use std::error::Error;

use lettre::message::header::{Header, HeaderName, HeaderValue};

type BoxedError = Box<dyn Error + Send + Sync>;

/// Nobody has written this mail by hand, so no automatic reply is wanted
/// ([RFC 3834](https://www.rfc-editor.org/rfc/rfc3834#section-5)).
#[derive(Debug, Clone)]
pub(super) struct AutoSubmitted;

/// The link that ends all mails to the addressee
/// ([RFC 2369](https://www.rfc-editor.org/rfc/rfc2369#section-3.2)).
#[derive(Debug, Clone)]
pub(super) struct ListUnsubscribe(pub(super) String);

/// A POST to that link is enough ([RFC 8058](https://www.rfc-editor.org/rfc/rfc8058)).
#[derive(Debug, Clone)]
pub(super) struct ListUnsubscribePost;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, BoxedError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, BoxedError> {
        Ok(Self(text.trim_matches(['<', '>']).into()))
    }

    fn display(&self) -> HeaderValue {
        let value = format!("<{}>", self.0);
        // It is ASCII, and must not be folded.
        HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
    }
}

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, BoxedError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".into())
    }
}
