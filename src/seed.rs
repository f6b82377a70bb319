//! Adds missing fixtures to a service. What exists is left alone, so that seeding again completes
//! a seeding that was interrupted.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value};
use support::event::Reporter;
use support::http::{Client, HttpError};

use crate::config::Service;
use crate::fixtures::Fixtures;
use crate::health::{self, Ready};

const TIMEOUT: Duration = Duration::from_secs(30);

type Fields = Map<String, Value>;

/// What seeding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// Fixtures that were added.
    pub added: usize,
    /// Fixtures that were there already.
    pub present: usize,
}

/// Why seeding failed. Fixtures that were added stay; seeding again adds the rest.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The service did not answer.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// It refused a fixture.
    #[error("{source_name}: item {item} was answered {status}: {answer}{}", so_far(*added))]
    Refused {
        /// The fixtures' file.
        source_name: String,
        /// The item's number, from 1.
        item: usize,
        /// The answer's status.
        status: StatusCode,
        /// The beginning of the answer.
        answer: String,
        /// Fixtures that were added before.
        added: usize,
    },
    /// It requires a token, or one with another role.
    #[error(
        "{url} answers {status}: {}", no_access(*status)
    )]
    NoAccess {
        /// What was asked for.
        url: String,
        /// The answer's status.
        status: StatusCode,
    },
    /// It does not answer with a list.
    #[error("{url} does not answer with a list of resources ({problem})")]
    NotAList {
        /// What was asked for.
        url: String,
        /// What is wrong.
        problem: String,
    },
}

fn no_access(status: StatusCode) -> &'static str {
    if status == StatusCode::FORBIDDEN {
        return "the access token needs the role write";
    }
    "it needs an access token with the role write: set EVENTPOST_TOKEN or --token-file"
}

/// Fails if access is refused.
fn check_access(ready: &Ready, collection: &str, status: StatusCode) -> Result<(), SeedError> {
    if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
        return Err(SeedError::NoAccess { url: ready.endpoint().url(collection), status });
    }
    Ok(())
}

fn so_far(added: usize) -> String {
    match added {
        0 => String::new(),
        _ => format!(" ({added} were added before it; fix it and seed again)"),
    }
}

/// Posts the fixtures that are missing in the collection; with `force`, all.
pub async fn apply(
    ready: &Ready,
    collection: &str,
    fixtures: &Fixtures,
    force: bool,
    reporter: Reporter<'_>,
) -> Result<Seeded, SeedError> {
    // Without fixtures, no request is needed; a service of others may not answer one.
    let all_new = force || fixtures.items.is_empty();
    let mut there = if all_new { Vec::new() } else { list(ready, collection).await? };
    let mut seeded = Seeded { added: 0, present: 0 };
    for (n, fixture) in fixtures.items.iter().enumerate() {
        if take(&mut there, fixture) {
            seeded.present += 1;
            continue;
        }
        reporter.detail(format!("seeding {} of {}", n + 1, fixtures.items.len()));
        let stored = post(ready, collection, fixtures, n, seeded.added).await?;
        seeded.added += 1;
        if let Some(field) = changed_field(fixture, &stored) {
            reporter.warning(format!(
                "{}: item {}: `{field}` is stored as {}: write it that way, or it is added again next time",
                fixtures.source,
                n + 1,
                stored.get(field).unwrap_or(&Value::Null),
            ));
        }
    }
    Ok(seeded)
}

/// How many fixtures a service that runs does not have; all of them if it does not say what it
/// has.
pub async fn missing(service: &Service, client: Client, fixtures: &Fixtures) -> usize {
    let all = fixtures.items.len();
    if all == 0 {
        return 0;
    }
    let count = async {
        let ready = health::check(service.name.as_str(), &client, &service.health).await.ok()?;
        let mut there = list(&ready, &service.collection()).await.ok()?;
        Some(fixtures.items.iter().filter(|fixture| !take(&mut there, fixture)).count())
    };
    count.await.unwrap_or(all)
}

/// Takes the resource of a fixture out of those that are there. Each matches one fixture: two
/// equal fixtures need two of them.
fn take(there: &mut Vec<Fields>, fixture: &Fields) -> bool {
    let found = there.iter().position(|resource| is_of(fixture, resource));
    found.map(|at| there.swap_remove(at)).is_some()
}

async fn list(ready: &Ready, collection: &str) -> Result<Vec<Fields>, SeedError> {
    let not_a_list =
        |problem: String| SeedError::NotAList { url: ready.endpoint().url(collection), problem };
    let answer = ready.client().get(collection, TIMEOUT).await?;
    check_access(ready, collection, answer.status)?;
    if answer.status != StatusCode::OK {
        return Err(not_a_list(format!("the answer is {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| not_a_list(error.to_string()))
}

async fn post(
    ready: &Ready,
    collection: &str,
    fixtures: &Fixtures,
    n: usize,
    added: usize,
) -> Result<Fields, SeedError> {
    let body = Bytes::from(Value::Object(fixtures.items[n].clone()).to_string());
    let answer = ready.client().post(collection, body, TIMEOUT).await?;
    check_access(ready, collection, answer.status)?;
    match serde_json::from_slice(&answer.body) {
        Ok(stored) if answer.status == StatusCode::CREATED => Ok(stored),
        _ => Err(SeedError::Refused {
            source_name: fixtures.source.clone(),
            item: n + 1,
            status: answer.status,
            answer: String::from_utf8_lossy(&answer.body).chars().take(500).collect(),
            added,
        }),
    }
}

/// Whether a resource is what posting the fixture creates: the same fields, and empty ones if
/// the fixture has none.
fn is_of(fixture: &Fields, resource: &Fields) -> bool {
    changed_field(fixture, resource).is_none()
        && resource.iter().all(|(field, value)| {
            field == "id" || fixture.contains_key(field) || *value == Value::String(String::new())
        })
}

/// The first field of the fixture that is different in the resource.
fn changed_field<'a>(fixture: &'a Fields, resource: &Fields) -> Option<&'a str> {
    let changed = |(field, value): &(&String, &Value)| resource.get(*field) != Some(value);
    fixture.iter().find(changed).map(|(field, _)| field.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_resource_is_of_a_fixture_when_nothing_else_is_in_it() {
        let fixture = fields(r#"{"title": "a", "place": "b"}"#);
        assert!(is_of(
            &fixture,
            &fields(r#"{"id": "1", "title": "a", "place": "b", "topics": ""}"#)
        ));
        for other in [
            r#"{"id": "1", "title": "a", "place": "c"}"#,
            r#"{"id": "1", "title": "a"}"#,
            r#"{"id": "1", "title": "a", "place": "b", "topics": "x"}"#,
        ] {
            assert!(!is_of(&fixture, &fields(other)), "{other}");
        }
    }

    #[test]
    fn the_field_that_was_stored_otherwise_is_found() {
        let fixture = fields(r#"{"title": "a", "date": "2020-1-2"}"#);
        let stored = fields(r#"{"title": "a", "date": "2020-01-02"}"#);
        assert_eq!(changed_field(&fixture, &stored), Some("date"));
    }
}
