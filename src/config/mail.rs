//! Reads the keys of `mail`: how a service sends mail. They become variables of its
//! environment; the password becomes a file whose path is in another variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use support::yaml::Section;

use super::model::Secret;

const FORM_ADDRESS: &str = "an address, like events@example.org or Events <events@example.org>";
const FORM_SECURITY: &str = "starttls, tls or none";

/// What a service is given.
pub(super) struct Mail {
    pub(super) env: BTreeMap<String, String>,
    pub(super) secrets: Vec<Secret>,
}

/// Reads them; files are relative to `base`.
pub(super) fn mail(mut section: Section<'_>, base: &Path) -> Mail {
    let host = section.required("host", |section| section.parsed("host", host, "a host's name"));
    let from = section.required("from", |section| section.parsed("from", address, FORM_ADDRESS));
    let port = section.port("port").map(|port| port.to_string());
    let security = section.parsed("security", security, FORM_SECURITY);
    let user = section.text("user").map(str::to_owned);
    let file = section.text("password_file").map(PathBuf::from);
    let rate = section.whole("rate", 1..=10_000).map(|rate| rate.to_string());
    if user.is_some() != file.is_some() {
        section.own_problem("`user` and `password_file` come together");
    }
    if user.is_some() && security.as_deref() == Some("none") {
        section.problem("security", "would send the password unencrypted: use starttls or tls");
    }
    section.finish();
    let given = [
        ("MAIL_HOST", host),
        ("MAIL_PORT", port),
        ("MAIL_SECURITY", security),
        ("MAIL_FROM", from),
        ("MAIL_USER", user),
        ("MAIL_RATE", rate),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let secret = |file: PathBuf| Secret {
        name: "mail-password",
        variable: "MAIL_PASSWORD_FILE",
        file: base.join(crate::config::expand_home(&file)),
        is_generated: false,
    };
    Mail { env: given.collect(), secrets: file.map(secret).into_iter().collect() }
}

fn host(text: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    (!text.is_empty() && text.bytes().all(allowed)).then(|| text.into())
}

fn security(text: &str) -> Option<String> {
    ["starttls", "tls", "none"].contains(&text).then(|| text.into())
}

/// What the service makes of it is its own matter; this is to find the wrong line.
fn address(text: &str) -> Option<String> {
    let bare = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => text,
    };
    let (local, domain) = bare.split_once('@')?;
    let valid = !local.is_empty() && !domain.is_empty() && !text.chars().any(char::is_control);
    valid.then(|| text.into())
}
