//! This module owns what clients see of sending, and can do about it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rest::ObjectId;
use rest::extension::{Acted, Extension, Given, NoSelection, Selection};
use rest::fields::FieldError;
use rest::json::ObjectWriter;
use rest::store::Page;
use tokio::sync::{Notify, watch};

use super::records::Records;
use super::relay::Relay;
use super::settings::MailArgs;
use super::state::State;
use super::{Delivery, Shared, now, worker};

const STATES: [&str; 5] = ["scheduled", "sending", "sent", "failed", "expired"];
const STOP_LIMIT: Duration = Duration::from_secs(10);

impl Extension for Delivery {
    type Args = MailArgs;

    const ACTIONS: &'static [&'static str] = &["retry"];

    fn start(args: &MailArgs, given: Given) -> Result<Self, String> {
        let Some(settings) = args.settings()? else {
            tracing::info!("no mail relay is configured: notifications are kept and not sent");
            return Ok(Self(None));
        };
        let shared = Arc::new(Shared {
            relay: Relay::new(&settings)?,
            records: Records::open(&given.folder)?,
            settings,
            given,
            book: Mutex::default(),
            changed: Notify::new(),
            stopping: watch::Sender::new(false),
        });
        let (host, port) = (&shared.settings.host, shared.settings.port);
        tracing::info!(%host, port, "notifications are sent");
        tokio::spawn(worker::run(Arc::clone(&shared)));
        Ok(Self(Some(shared)))
    }

    fn changed(&self, id: ObjectId) {
        if let Some(shared) = &self.0 {
            worker::changed(shared, id);
        }
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, NoSelection> {
        let described = self.wants_description(query)?;
        let state = parameter(query, "state");
        let (Some(shared), true) = (&self.0, described || state.is_some()) else {
            no_relay(state.is_some(), "state")?;
            return Ok(None);
        };
        // One more than is wanted says whether there is more.
        let enough = page.limit.saturating_add(1);
        let mut ids = match state {
            Some(word) if STATES.contains(&word) => {
                shared.book().in_state(word, page.after, enough)
            }
            Some(_) => {
                let message = format!("must be {}", STATES.join(", "));
                return Err(problem("state", message).into());
            }
            None => shared.given.store.ids_after(page.after, enough),
        };
        let more = ids.len() > page.limit;
        ids.truncate(page.limit);
        let next = ids.last().filter(|_| more).map(|last| {
            let state = state.map(|word| format!("state={word}&")).unwrap_or_default();
            let fields = if described { "fields=state&" } else { "" };
            format!("{state}{fields}limit={}&after={last}", page.limit)
        });
        Ok(Some(Selection { ids, next, described }))
    }

    fn wants_description(&self, query: &str) -> Result<bool, Vec<FieldError>> {
        match parameter(query, "fields") {
            None => Ok(false),
            Some("state") => no_relay(self.0.is_none(), "fields").map(|()| true),
            Some(_) => Err(problem("fields", "must be state".into())),
        }
    }

    fn describe(&self, id: ObjectId, out: &mut ObjectWriter<'_>) {
        let Some(shared) = &self.0 else { return };
        let state = shared.book().get(id).map(|entry| entry.state.clone());
        if let Some(state) = state {
            write(&state, out);
        }
    }

    fn act(&self, id: ObjectId, _action: &str) -> Acted {
        let Some(shared) = &self.0 else {
            return Acted::Refused("No mail relay is configured.");
        };
        let mut book = shared.book();
        if book.get(id).is_none() {
            return Acted::NotFound;
        }
        if !book.retry(id, now()) {
            return Acted::Refused("Only a notification that failed or expired can be retried.");
        }
        drop(book);
        shared.changed.notify_one();
        Acted::Done
    }

    fn about(&self, out: &mut ObjectWriter<'_>) {
        let Some(shared) = &self.0 else {
            out.text("mail", "off");
            return;
        };
        let (host, port) = (&shared.settings.host, shared.settings.port);
        let book = shared.book();
        out.text("mail", &format!("{host}:{port}"));
        out.object("notifications", |out| {
            for word in STATES {
                out.number(word, book.count(word));
            }
        });
    }

    async fn stop(&self) {
        let Some(shared) = &self.0 else { return };
        shared.stopping.send_replace(true);
        // The worker holds a receiver until it is done.
        if tokio::time::timeout(STOP_LIMIT, shared.stopping.closed()).await.is_err() {
            tracing::warn!("some mails are under way: they may be sent again");
        }
    }
}

/// Adds a state to a notification: `"state"`, and what belongs to it.
fn write(state: &State, out: &mut ObjectWriter<'_>) {
    out.text("state", state.word());
    match state {
        State::Scheduled { tried: None, .. } | State::Sending { tried: None } => {}
        State::Scheduled { due, tried: Some(tried) } => {
            out.number("attempts", tried.attempts.into()).text("error", &tried.why);
            out.text("next_attempt", &rfc3339(*due));
        }
        State::Sending { tried: Some(tried) } => {
            out.number("attempts", tried.attempts.into()).text("error", &tried.why);
        }
        State::Sent { time, attempts } => {
            out.text("sent", &rfc3339(*time)).number("attempts", (*attempts).into());
        }
        State::Failed { time, attempts, why } => {
            out.text("failed", &rfc3339(*time)).number("attempts", (*attempts).into());
            out.text("error", why);
        }
        State::Expired { time } => {
            out.text("expired", &rfc3339(*time));
        }
    }
}

fn rfc3339(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    format!("{:.0}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}

/// A parameter of a query; none of ours needs to be decoded.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn problem(field: &'static str, message: String) -> Vec<FieldError> {
    vec![FieldError { field, message }]
}

/// Where nothing is sent, there is nothing to say of it.
fn no_relay(asked: bool, field: &'static str) -> Result<(), Vec<FieldError>> {
    if !asked {
        return Ok(());
    }
    Err(problem(field, "needs a mail relay, and none is configured".into()))
}
