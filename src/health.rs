//! This module owns waiting until a service can do its work. Only a service that
//! was found [`Ready`] can be seeded.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use crate::http::Endpoint;
use crate::wait::{Backoff, Deadline};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// A service that has answered that it can work.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where it answers.
    pub endpoint: Endpoint,
    /// What it says of itself.
    pub about: About,
}

/// What `/readyz` tells. A service of another make may tell nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct About {
    /// The service's name.
    pub service: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How many resources it holds.
    pub resources: Option<u64>,
    /// The relay that it sends mails by, or `off`.
    pub mail: Option<String>,
    /// Its word for how it is.
    pub status: Option<String>,
}

impl About {
    /// Whether it says that it refuses writes.
    pub fn is_read_only(&self) -> bool {
        self.status.as_deref() == Some("read-only")
    }
}

/// A service did not become ready.
#[derive(Debug, thiserror::Error)]
#[error("{service} is not ready after {seconds} s; the last answer: {last}")]
pub struct HealthError {
    /// The service.
    pub service: String,
    /// How long it was waited for.
    pub seconds: u64,
    /// What the last look gave.
    pub last: String,
}

/// Asks once.
pub async fn check(service: &str, endpoint: &Endpoint, path: &str) -> Result<Ready, String> {
    let answer = endpoint.get(path, REQUEST_TIMEOUT).await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("{} answers {}", endpoint.url(path), answer.status));
    }
    let about: About = serde_json::from_slice(&answer.body).unwrap_or_default();
    match &about.service {
        Some(other) if other != service => {
            Err(format!("{} is answered by the service `{other}`", endpoint.url(path)))
        }
        _ => Ok(Ready { endpoint: endpoint.clone(), about }),
    }
}

/// Asks until the service is ready or the deadline has passed.
pub async fn wait_ready(
    service: &str,
    endpoint: &Endpoint,
    path: &str,
    deadline: Deadline,
) -> Result<Ready, HealthError> {
    let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
    loop {
        let last = match check(service, endpoint, path).await {
            Ok(ready) => return Ok(ready),
            Err(last) => last,
        };
        if deadline.has_passed() {
            let seconds = deadline.limit().as_secs();
            return Err(HealthError { service: service.into(), seconds, last });
        }
        backoff.pause(deadline).await;
    }
}
