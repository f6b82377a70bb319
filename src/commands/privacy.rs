//! `eventpost privacy`: what is stored about an address, for whoever it belongs to.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;
use support::http::{Answer, Client, HttpError};

use crate::cli::{PlacementArgs, Privacy, PrivacyErase, PrivacyExport, StackArgs, TokenArgs};
use crate::error::Error;
use crate::report;
use crate::session::Session;

/// The service that knows addresses.
const SERVICE: &str = "notifications";
/// Notifications that are read at once.
const PAGE: usize = 500;
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an interrupt leaves while notifications are deleted.
const LEFT: &str = "some of the notifications are deleted; run the command again";

/// What is stored about an address.
#[derive(Debug, Serialize)]
struct Export {
    address: String,
    /// Whether it gets no mails.
    suppressed: bool,
    notifications: Vec<Value>,
}

/// A connection to the service that knows addresses.
struct Records {
    client: Client,
    /// For queries.
    address: String,
}

pub(super) async fn run(args: &Privacy) -> Result<ExitCode, Error> {
    match args {
        Privacy::Export(args) => export(args).await,
        Privacy::Erase(args) => erase(args).await,
    }
}

async fn export(args: &PrivacyExport) -> Result<ExitCode, Error> {
    let PrivacyExport { address, placement, token, stack } = args;
    let (session, records) = open(address, placement, token, stack).await?;
    let work = async {
        let mut notifications = Vec::new();
        while let Some(page) = records.after(notifications.last()).await? {
            notifications.extend(page);
        }
        let suppressed = records.suppression("").await?;
        Ok::<_, Error>(Export { address: address.clone(), suppressed, notifications })
    };
    let found = session.inspect(work).await?;
    session.close();
    let text = serde_json::to_string_pretty(&found);
    report::line(&text.map_err(|error| Error::Failed(error.to_string()))?)?;
    Ok(ExitCode::SUCCESS)
}

async fn erase(args: &PrivacyErase) -> Result<ExitCode, Error> {
    let PrivacyErase { address, suppress, yes, placement, token, stack } = args;
    let (session, records) = open(address, placement, token, stack).await?;
    if !yes {
        session.confirm(format!("Delete all notifications to {address}?")).await?;
    }
    let reporter = session.reporter(SERVICE);
    let work = async {
        // First, so that nothing is added meanwhile.
        if *suppress {
            records.suppression("&set=on").await?;
        }
        let mut deleted = 0;
        while let Some(page) = records.after(None).await? {
            for notification in &page {
                records.delete(notification).await?;
            }
            deleted += page.len();
            reporter.step(format!("{deleted} deleted"));
        }
        Ok::<_, Error>(deleted)
    };
    let deleted = session.run(LEFT, work).await?;
    let suppressed = if *suppress { "; no mails are sent to the address" } else { "" };
    reporter
        .done(format!("{deleted} notifications deleted{suppressed}. Backups keep what they have"));
    session.close();
    Ok(ExitCode::SUCCESS)
}

/// Finds the service. An address that cannot be one is refused before that.
async fn open(
    address: &str,
    placement: &PlacementArgs,
    token: &TokenArgs,
    stack: &StackArgs,
) -> Result<(Session, Records), Error> {
    if !address.contains('@') {
        return Err(Error::Request(format!("`{address}` is not an email address, like a@b.org")));
    }
    let session = Session::open(stack, placement)?;
    session.service(SERVICE)?;
    let clients = session.inspect(session.clients(token)).await?;
    let client = clients.into_iter().find(|(service, _)| service.name.as_str() == SERVICE);
    let Some((_, client)) = client else {
        return Err(Error::Failed(format!("{SERVICE} does not run")));
    };
    let address = form_urlencoded::byte_serialize(address.as_bytes()).collect();
    Ok((session, Records { client, address }))
}

impl Records {
    /// The notifications to the address that come after one; `None` if there are no others.
    async fn after(&self, last: Option<&Value>) -> Result<Option<Vec<Value>>, Error> {
        let after = last.and_then(|it| it["id"].as_str()).map(|id| format!("&after={id}"));
        let after = after.unwrap_or_default();
        let path = format!("/{SERVICE}?to_mail={}&limit={PAGE}{after}", self.address);
        let get = |path: String| async move {
            self.client.get(&path, TIMEOUT).await.map_err(|error| failed(&error))
        };
        let mut answer = get(format!("{path}&fields=state")).await?;
        if answer.status == StatusCode::BAD_REQUEST {
            // Without a relay, it knows no states.
            answer = get(path).await?;
        }
        let page: Vec<Value> = parsed(&self.checked(answer)?)?;
        Ok(Some(page).filter(|page| !page.is_empty()))
    }

    async fn delete(&self, notification: &Value) -> Result<(), Error> {
        let id = notification["id"].as_str().unwrap_or_default();
        let path = format!("/{SERVICE}/{id}");
        let answer = self.client.delete(&path, TIMEOUT).await.map_err(|error| failed(&error))?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.checked(answer).map(drop)
    }

    /// Whether the address gets no mails, after that was changed if `set` says so.
    async fn suppression(&self, set: &str) -> Result<bool, Error> {
        let path = format!("/{SERVICE}/suppression?to_mail={}{set}", self.address);
        let answer =
            self.client.post(&path, Bytes::new(), TIMEOUT).await.map_err(|error| failed(&error))?;
        let body: Value = parsed(&self.checked(answer)?)?;
        Ok(body["suppressed"] == "yes")
    }

    fn checked(&self, answer: Answer) -> Result<Answer, Error> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let url = self.client.endpoint().url("/notifications");
        Err(Error::Failed(format!("{url}: {}: {body}", answer.status)))
    }
}

fn failed(error: &HttpError) -> Error {
    Error::Failed(error.to_string())
}

fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Error::Failed(format!("the service answered what is no JSON: {error}")))
}
