//! Shows the state of deliveries to clients, and runs their actions.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rest::ObjectId;
use rest::extension::{ActionOutcome, Extension, ExtensionContext, SelectError, Selection};
use rest::fields::FieldError;
use rest::follow::Followed;
use rest::json::ObjectWriter;
use rest::store::Page;
use tokio::sync::{Notify, watch};

use super::query::Query;
use super::records::Records;
use super::relay::Relay;
use super::settings::MailArgs;
use super::state::{DeliveryState, StateName};
use super::{Delivery, DeliveryContext, now, worker};
use crate::recipients::{Recipients, for_address};

/// How long a service that stops waits for the mails in progress.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

impl Extension for Delivery {
    type Args = MailArgs;

    const ACTIONS: &'static [&'static str] = &["retry"];

    fn start(args: &MailArgs, service: ExtensionContext) -> Result<Self, String> {
        let recipients = Followed::start(Arc::clone(&service.store), Recipients::default())?;
        let Some(settings) = args.settings()? else {
            tracing::info!("no mail relay is configured: notifications are stored but not sent");
            return Ok(Self { recipients, sending: None });
        };
        let context = Arc::new(DeliveryContext {
            relay: Relay::new(&settings)?,
            records: Records::open(&service.folder)?,
            settings,
            service,
            book: Mutex::default(),
            changed: Notify::new(),
            stopping: watch::Sender::new(false),
        });
        let (host, port) = (&context.settings.host, context.settings.port);
        tracing::info!(%host, port, "notifications are sent to the mail relay");
        tokio::spawn(worker::run(Arc::clone(&context)));
        Ok(Self { recipients, sending: Some(context) })
    }

    fn changed(&self, id: ObjectId) {
        self.recipients.changed(id);
        if let Some(context) = &self.sending {
            worker::changed(context, id);
        }
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, SelectError> {
        let query = Query::parse(query, self.sending.is_some())?;
        if query.is_empty() {
            return Ok(None);
        }
        // One more than the page holds tells whether there is a next page.
        let mut ids = self.find(&query, page.after, page.limit.saturating_add(1)).await?;
        let has_next = ids.len() > page.limit;
        ids.truncate(page.limit);
        let next = ids.last().filter(|_| has_next).map(|last| query.next(page, *last));
        Ok(Some(Selection { ids, next, with_extra_fields: query.with_state }))
    }

    fn wants_extra_fields(&self, query: &str) -> Result<bool, Vec<FieldError>> {
        // The other parameters are for lists.
        Query::parse(query, self.sending.is_some()).map(|query| query.with_state)
    }

    fn write_extra_fields(&self, id: ObjectId, out: &mut ObjectWriter<'_>) {
        let Some(context) = &self.sending else { return };
        let state = context.book().get(id).map(|entry| entry.state.clone());
        if let Some(state) = state {
            write_state(&state, out);
        }
    }

    fn run_action(&self, id: ObjectId, _action: &str) -> ActionOutcome {
        let Some(context) = &self.sending else {
            return ActionOutcome::Refused("No mail relay is configured.");
        };
        let mut book = context.book();
        if book.get(id).is_none() {
            return ActionOutcome::NotFound;
        }
        if !book.retry(id, now()) {
            return ActionOutcome::Refused("Only failed or expired notifications can be retried.");
        }
        drop(book);
        context.changed.notify_one();
        ActionOutcome::Accepted
    }

    fn write_status(&self, out: &mut ObjectWriter<'_>) {
        let Some(context) = &self.sending else {
            out.text("mail", "off");
            return;
        };
        let (host, port) = (&context.settings.host, context.settings.port);
        let book = context.book();
        out.text("mail", &format!("{host}:{port}"));
        out.object("notifications", |out| {
            for name in StateName::ALL {
                out.number(name.as_str(), book.count(name));
            }
        });
    }

    async fn stop(&self) {
        let Some(context) = &self.sending else { return };
        context.stopping.send_replace(true);
        // The worker holds a receiver until it has finished.
        if tokio::time::timeout(STOP_TIMEOUT, context.stopping.closed()).await.is_err() {
            tracing::warn!("some mails did not finish in time and may be sent again");
        }
    }
}

impl Delivery {
    /// The notifications that a query asks for, by ascending id.
    async fn find(
        &self,
        query: &Query,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<ObjectId>, SelectError> {
        if let Some(address) = &query.to_mail {
            let matches = |id| query.state.is_none_or(|name| self.is_in_state(id, name));
            let found = for_address(&self.recipients, address.clone(), after, limit, matches).await;
            return found.map_err(|error| {
                tracing::error!(%error, "cannot read the notifications for an address");
                let message = "could not be searched".into();
                vec![FieldError { field: "to_mail", message }].into()
            });
        }
        let Some(context) = &self.sending else { return Ok(Vec::new()) };
        Ok(match query.state {
            Some(name) => context.book().in_state(name, after, limit),
            None => context.service.store.ids_after(after, limit),
        })
    }

    fn is_in_state(&self, id: ObjectId, name: StateName) -> bool {
        let Some(context) = &self.sending else { return false };
        context.book().get(id).is_some_and(|entry| entry.state.name() == name)
    }
}

/// Adds the state of its delivery to a notification.
fn write_state(state: &DeliveryState, out: &mut ObjectWriter<'_>) {
    out.text("state", state.name().as_str());
    if let Some(failures) = state.failures() {
        out.number("attempts", failures.count.into()).text("error", &failures.reason);
    }
    match state {
        DeliveryState::Scheduled { due, failures: Some(_) } => {
            out.text("next_attempt", &rfc3339(*due));
        }
        DeliveryState::Scheduled { .. } | DeliveryState::Sending { .. } => {}
        DeliveryState::Sent { time, attempts } => {
            out.text("sent", &rfc3339(*time)).number("attempts", (*attempts).into());
        }
        DeliveryState::Failed { time, attempts, reason } => {
            out.text("failed", &rfc3339(*time)).number("attempts", (*attempts).into());
            out.text("error", reason);
        }
        DeliveryState::Expired { time } => {
            out.text("expired", &rfc3339(*time));
        }
    }
}

fn rfc3339(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    format!("{:.0}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}
