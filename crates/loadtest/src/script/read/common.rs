//! Reads the keys that a scenario has for all its requests and each request for itself.

use std::time::Duration;

use hyper::header::{self, HeaderName};
use support::yaml::kind;

use super::{Section, Template, parse_template};
use crate::script::in_header;

/// Headers that follow from other keys, or that this program does not support.
const REFUSED: &[(HeaderName, &str)] = &[
    (header::CONTENT_LENGTH, "is computed; leave it out"),
    (header::TRANSFER_ENCODING, "is not supported; leave it out"),
    (header::CONNECTION, "follows from `keepalive`; leave it out"),
    (header::ACCEPT_ENCODING, "is not supported: responses are not decompressed"),
];

/// What a scenario says about all its requests.
pub(super) struct Common {
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) timeout: Duration,
    pub(super) think_time: Duration,
    pub(super) accepts_redirects: bool,
}

/// Whether a redirect is a success, as it is if it need not be followed. Following redirects
/// is not supported.
pub(super) fn accepts_redirects(section: &mut Section<'_>, default: bool) -> bool {
    match section.boolean("follow-redirects") {
        Some(true) => {
            section.problem("follow-redirects", "is not supported; only `false` is");
            default
        }
        Some(false) => true,
        None => default,
    }
}

pub(super) fn headers(mut section: Section<'_>) -> Vec<(HeaderName, Template)> {
    let entries = section.entries();
    let headers = entries.into_iter().filter_map(|(name, value)| {
        let Some(text) = value.as_str() else {
            section.problem(&name, format!("must be a string, not {}", kind(value)));
            return None;
        };
        let Ok(header) = name.parse::<HeaderName>() else {
            section.problem(&name, "is not a header name");
            return None;
        };
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == header) {
            section.problem(&name, *why);
        }
        let value = parse_template(&section, &name, text)?;
        if !value.allows(in_header) {
            section.problem(&name, "must be one line");
        }
        Some((header, value))
    });
    headers.collect()
}
