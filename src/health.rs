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

    /// The same service, reached by another client from now on.
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }
}

/// What `/readyz` answers: the name and whether the service refuses writes to everybody, and the
/// rest to admins. Services of others may answer nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct About {
    /// The service's name.
    pub service: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who may use it.
    pub access: Option<Access>,
    /// What holds its data: `sqlite` or `postgresql`.
    pub storage: Option<String>,
    /// How many resources it holds.
    pub resources: Option<u64>,
    /// The relay that it sends mails by, or `off`.
    pub mail: Option<String>,
    /// Whether it accepts writes.
    pub status: Option<Status>,
    /// When its certificate expires.
    pub certificate_expires: Option<String>,
    /// Why it has no new certificate.
    pub certificate_problem: Option<String>,
}

/// Who may use a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Everybody.
    Open,
    /// Those with a token.
    Tokens,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// Whether a service accepts writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It does.
    Ready,
    /// It refuses them.
    ReadOnly,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

impl About {
    /// Whether everybody may do everything. Versions without tokens do not say so, but tell
    /// everybody their version.
    pub fn is_open(&self) -> bool {
        self.access.map_or(self.version.is_some(), |access| access == Access::Open)
    }

    /// Whether it refuses writes.
    pub fn is_read_only(&self) -> bool {
        self.status == Some(Status::ReadOnly)
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
        /// How long it had.
        seconds: u64,
        /// What the last attempt met.
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

/// Why a service is not ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReady {
    /// It refuses the token. Retrying does not help.
    #[error(
        "{url} refuses the access token: it is unknown, has expired or was revoked. `eventpost \
         deploy` (with --local: `eventpost up --local`) brings this machine's tokens to the \
         services; EVENTPOST_TOKEN or --token-file gives another one"
    )]
    Refused {
        /// What was asked for.
        url: String,
    },
    /// It answers something else, or not at all.
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
            let seconds = deadline.timeout().as_secs();
            HealthError::TimedOut { service: service.into(), seconds, last }
        }
    })
}
