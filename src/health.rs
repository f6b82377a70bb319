//! Waits until a service can do its work. Only a service that was found [`Ready`] can be
//! seeded.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use crate::http::{Client, Endpoint};
use crate::wait::{Backoff, Deadline};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// A service that has answered that it can work.
#[derive(Debug, Clone)]
pub struct Ready {
    /// How it is reached.
    client: Client,
    /// What it says of itself.
    pub about: About,
}

impl Ready {
    /// Where it answers.
    pub fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// How it is reached.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same service, reached by another way from now on.
    #[must_use]
    pub fn by(self, client: Client) -> Self {
        Self { client, ..self }
    }
}

/// What `/readyz` tells: everybody its name and whether it refuses writes, and those with
/// an admin's token the rest. A service of another make may tell nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct About {
    /// The service's name.
    pub service: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who may use it.
    pub access: Option<String>,
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
pub async fn check(service: &str, client: &Client, path: &str) -> Result<Ready, String> {
    let endpoint = client.endpoint();
    let answer = client.get(path, REQUEST_TIMEOUT).await.map_err(|error| error.to_string())?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(format!("{} does not accept the access token", endpoint.url(path)));
    }
    if answer.status != StatusCode::OK {
        return Err(format!("{} answers {}", endpoint.url(path), answer.status));
    }
    let about: About = serde_json::from_slice(&answer.body).unwrap_or_default();
    match &about.service {
        Some(other) if other != service => {
            Err(format!("{} is answered by the service `{other}`", endpoint.url(path)))
        }
        _ => Ok(Ready { client: client.clone(), about }),
    }
}

/// Asks until the service is ready or the deadline has passed.
pub async fn wait_ready(
    service: &str,
    client: &Client,
    path: &str,
    deadline: Deadline,
) -> Result<Ready, HealthError> {
    let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
    loop {
        let last = match check(service, client, path).await {
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
