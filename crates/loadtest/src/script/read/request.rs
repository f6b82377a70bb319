//! Reads the requests of a scenario.

use hyper::Method;
use serde_yaml::Value;

use super::common::{Common, accepts_redirects, headers};
use super::{Files, Problems, Section, Template, check, duration, expanded, template};
use crate::script::{Request, in_path};

/// Keys that Taurus knows and this program does not support.
const UNSUPPORTED: &[&str] = &[
    "assert-jsonpath",
    "assert-xpath",
    "body-file-encoding",
    "content-encoding",
    "extract-boundary",
    "extract-css-jquery",
    "extract-xpath",
    "jsr223",
    "upload-files",
];

pub(super) fn one(
    value: &Value,
    path: Vec<String>,
    common: &Common,
    files: &Files,
    problems: &Problems,
) -> Option<Request> {
    let value = expanded(value, "url");
    let mut section = Section::new(&value, path, problems);
    let url = section.required("url", |section| template(section, "url"));
    if let Some(url) = &url {
        if !url.start().starts_with('/') {
            section.problem("url", "must begin with /; set the host in `default-address`");
        } else if !url.allows(in_path) {
            section.problem("url", "contains a character that must be percent-encoded");
        }
    }
    let method = section.parsed("method", |text| text.to_uppercase().parse().ok(), "a method");
    let label = section.text("label").or(section.text("url")).unwrap_or_default().to_owned();
    let body = body(&mut section, files);
    let body_file = section.text("body-file").map(str::to_owned);
    let own = section.section("headers").map(headers).unwrap_or_default();
    let mut headers = common.headers.clone();
    headers.retain(|(name, _)| own.iter().all(|(other, _)| name != other));
    headers.extend(own);
    let timeout = duration(&mut section, "timeout").unwrap_or(common.timeout);
    let think_time = duration(&mut section, "think-time").unwrap_or(common.think_time);
    let extractors = check::extractors(&mut section);
    let assertions = check::assertions(&mut section);
    let accepts_redirects = accepts_redirects(&mut section, common.accepts_redirects);
    section.unsupported(UNSUPPORTED);
    section.finish();
    Some(Request {
        label,
        method: method.unwrap_or(Method::GET),
        path: url?,
        headers,
        body,
        body_file,
        timeout,
        think_time,
        extractors,
        assertions,
        accepts_redirects,
    })
}

/// Reads the body. A file's content is sent as it is, without variables.
fn body(section: &mut Section<'_>, files: &Files) -> Option<Template> {
    match (template(section, "body"), section.text("body-file")) {
        (body, None) => body,
        (None, Some(name)) => match files.read(name) {
            Ok(text) => Some(Template::raw(&text)),
            Err(error) => {
                section.problem("body-file", format!("`{name}` cannot be read: {error}"));
                None
            }
        },
        (Some(_), Some(_)) => {
            section.own_problem("has both `body` and `body-file`");
            None
        }
    }
}
