//! `eventpost privacy`: what is stored about an address, for whoever it belongs to.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use rest::ObjectId;
use serde::Serialize;
use serde_json::Value;
use support::http::{Answer, Client, HttpError};

use crate::cli::{Privacy, PrivacyErase, PrivacyExport, PrivacySubject};
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
    let address = &args.subject.address;
    let (session, records) = open(&args.subject).await?;
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
    let PrivacyErase { subject, suppress, yes } = args;
    let (session, records) = open(subject).await?;
    if !yes {
        session.confirm(format!("Delete all notifications to {}?", subject.address)).await?;
    }
    let reporter = session.reporter(SERVICE);
    let work = async {
        // First, so that nothing is added meanwhile.
        if *suppress {
            records.suppression("&set=on").await?;
        }
        let (mut deleted, mut before) = (0, Vec::new());
        while let Some(page) = records.after(None).await? {
            if page == before {
                return Err(stuck());
            }
            for notification in &page {
                records.delete(notification).await?;
            }
            deleted += page.len();
            before = page;
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
async fn open(subject: &PrivacySubject) -> Result<(Session, Records), Error> {
    let PrivacySubject { address, placement, token, stack } = subject;
    if !address.contains('@') {
        return Err(Error::Request(format!("`{address}` is not an email address, like a@b.org")));
    }
    let session = Session::open(stack, placement)?;
    session.service(SERVICE)?;
    let clients = session.clients(token, |service| service.name.as_str() == SERVICE);
    let Some((_, client)) = session.inspect(clients).await?.pop() else {
        return Err(Error::Failed(format!("{SERVICE} does not run")));
    };
    let address = form_urlencoded::byte_serialize(address.as_bytes()).collect();
    Ok((session, Records { client, address }))
}

impl Records {
    /// The notifications to the address that come after one; `None` if there are no others.
    async fn after(&self, last: Option<&Value>) -> Result<Option<Vec<Value>>, Error> {
        let last = last.map(id_of).transpose()?;
        let after = last.map(|id| format!("&after={id}")).unwrap_or_default();
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
        // Otherwise, the pages might never end.
        if let Some(next) = page.last()
            && Some(id_of(next)?) <= last
        {
            return Err(stuck());
        }
        Ok(Some(page).filter(|page| !page.is_empty()))
    }

    async fn delete(&self, notification: &Value) -> Result<(), Error> {
        let path = format!("/{SERVICE}/{}", id_of(notification)?);
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
        let body: String = String::from_utf8_lossy(&answer.body).chars().take(500).collect();
        let url = self.client.endpoint().url("/notifications");
        Err(Error::Failed(format!("{url}: {}: {body}", answer.status)))
    }
}

/// The id of a notification. It becomes a part of paths.
fn id_of(notification: &Value) -> Result<ObjectId, Error> {
    let id = notification["id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::Failed("the service answered a notification without an id".into()))
}

/// The same again would never end.
fn stuck() -> Error {
    Error::Failed("the service answered the same notifications twice".into())
}

fn failed(error: &HttpError) -> Error {
    Error::Failed(error.to_string())
}

fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Error::Failed(format!("the service did not answer with JSON: {error}")))
}
