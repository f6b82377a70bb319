//! Shows clients the state of deliveries, and carries out their actions on it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rest::ObjectId;
use rest::extension::{Acted, Extension, Given, NoSelection, Selection};
use rest::fields::FieldError;
use rest::follow::Followed;
use rest::json::ObjectWriter;
use rest::store::Page;
use tokio::sync::{Notify, watch};

use super::query::Query;
use super::records::Records;
use super::relay::Relay;
use super::settings::MailArgs;
use super::state::{STATES, State};
use super::{Delivery, Shared, now, worker};
use crate::recipients::{Recipients, for_address};

const STOP_LIMIT: Duration = Duration::from_secs(10);

impl Extension for Delivery {
    type Args = MailArgs;

    const ACTIONS: &'static [&'static str] = &["retry"];

    fn start(args: &MailArgs, given: Given) -> Result<Self, String> {
        let recipients = Followed::start(Arc::clone(&given.store), Recipients::default())?;
        let Some(settings) = args.settings()? else {
            tracing::info!("no mail relay is configured: notifications are kept and not sent");
            return Ok(Self { recipients, sending: None });
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
        Ok(Self { recipients, sending: Some(shared) })
    }

    fn changed(&self, id: ObjectId) {
        self.recipients.changed(id);
        if let Some(shared) = &self.sending {
            worker::changed(shared, id);
        }
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, NoSelection> {
        let query = Query::read(query, self.sending.is_some())?;
        if query.is_empty() {
            return Ok(None);
        }
        // One more than is wanted says whether there is more.
        let mut ids = self.pick(&query, page.after, page.limit.saturating_add(1)).await?;
        let more = ids.len() > page.limit;
        ids.truncate(page.limit);
        let next = ids.last().filter(|_| more).map(|last| query.next(page, *last));
        Ok(Some(Selection { ids, next, described: query.described }))
    }

    fn wants_description(&self, query: &str) -> Result<bool, Vec<FieldError>> {
        // Of an item, neither a state nor an address picks anything out.
        Query::read(query, self.sending.is_some()).map(|query| query.described)
    }

    fn describe(&self, id: ObjectId, out: &mut ObjectWriter<'_>) {
        let Some(shared) = &self.sending else { return };
        let state = shared.book().get(id).map(|entry| entry.state.clone());
        if let Some(state) = state {
            write(&state, out);
        }
    }

    fn act(&self, id: ObjectId, _action: &str) -> Acted {
        let Some(shared) = &self.sending else {
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
        let Some(shared) = &self.sending else {
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
        let Some(shared) = &self.sending else { return };
        shared.stopping.send_replace(true);
        // The worker holds a receiver until it is done.
        if tokio::time::timeout(STOP_LIMIT, shared.stopping.closed()).await.is_err() {
            tracing::warn!("some mails are under way: they may be sent again");
        }
    }
}

impl Delivery {
    /// What a query asks for, by ascending id.
    async fn pick(
        &self,
        query: &Query,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<ObjectId>, NoSelection> {
        if let Some(address) = &query.to_mail {
            let wanted = |id| query.state.is_none_or(|word| self.is_in_state(id, word));
            let found = for_address(&self.recipients, address.clone(), after, limit, wanted).await;
            return found.map_err(|error| {
                tracing::error!(%error, "notifications for an address cannot be read");
                let message = "could not be searched for".into();
                vec![FieldError { field: "to_mail", message }].into()
            });
        }
        let Some(shared) = &self.sending else { return Ok(Vec::new()) };
        Ok(match query.state {
            Some(word) => shared.book().in_state(word, after, limit),
            None => shared.given.store.ids_after(after, limit),
        })
    }

    fn is_in_state(&self, id: ObjectId, word: &str) -> bool {
        let Some(shared) = &self.sending else { return false };
        shared.book().get(id).is_some_and(|entry| entry.state.word() == word)
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
