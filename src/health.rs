//! Waits until a service can do its work. Only a service that was found [`Ready`] can be
//! seeded.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use support::event::Reporter;
use support::http::{Client, Endpoint};
use support::wait::{Backoff, Deadline, Failure, retry};

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
    /// Whether everybody may do everything. One that does not say so, and tells more than
    /// that it is ready to somebody without a token, is of a time before there were any.
    pub fn is_open(&self) -> bool {
        self.access.as_deref().map_or(self.version.is_some(), |access| access == "open")
    }

    /// Whether it says that it refuses writes.
    pub fn is_read_only(&self) -> bool {
        self.status.as_deref() == Some("read-only")
    }
}

/// A service did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// It was not ready by its deadline.
    #[error("{service} is not ready after {seconds} s; the last answer: {last}")]
    TimedOut {
        /// The service.
        service: String,
        /// How long it was waited for.
        seconds: u64,
        /// What the last look gave.
        last: String,
    },
    /// It refuses the token.
    #[error("{service}: {cause}")]
    Refused {
        /// The service.
        service: String,
        /// What it answered.
        cause: NotReady,
    },
}

/// Why a service was not found ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReady {
    /// It refuses the token. Asking again is no use.
    #[error(
        "{url} refuses the access token: it is unknown, has expired or was revoked. `eventpost \
         deploy` (with --local: `eventpost up --local`) brings this machine's tokens to the \
         services; EVENTPOST_TOKEN or --token-file gives another one"
    )]
    Refused {
        /// What was asked for.
        url: String,
    },
    /// It answers something else, or nothing.
    #[error("{0}")]
    Other(String),
}

/// Asks once.
pub async fn check(service: &str, client: &Client, path: &str) -> Result<Ready, NotReady> {
    let endpoint = client.endpoint();
    let answer = client.get(path, REQUEST_TIMEOUT).await;
    let answer = answer.map_err(|error| NotReady::Other(error.to_string()))?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(NotReady::Refused { url: endpoint.url(path) });
    }
    if answer.status != StatusCode::OK {
        return Err(NotReady::Other(format!("{} answers {}", endpoint.url(path), answer.status)));
    }
    let about: About = serde_json::from_slice(&answer.body).unwrap_or_default();
    match &about.service {
        Some(other) if other != service => {
            let problem = format!("{} is answered by the service `{other}`", endpoint.url(path));
            Err(NotReady::Other(problem))
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
    reporter: Reporter<'_>,
) -> Result<Ready, HealthError> {
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
    let ready = retry("it to be ready", deadline, backoff, reporter, async || {
        check(service, client, path).await.map_err(|problem| match problem {
            NotReady::Refused { .. } => Failure::Permanent(problem),
            NotReady::Other(reason) => Failure::Transient(reason),
        })
    });
    ready.await.map_err(|failure| match failure {
        Failure::Permanent(cause) => HealthError::Refused { service: service.into(), cause },
        Failure::Transient(last) => {
            let seconds = deadline.limit().as_secs();
            HealthError::TimedOut { service: service.into(), seconds, last }
        }
    })
}
