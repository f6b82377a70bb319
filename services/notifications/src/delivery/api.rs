//! Shows the state of deliveries to clients, and runs their actions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use rest::extension::{
    ActionError, ActionOutcome, Extension, ExtensionContext, PageKind, PageRequest, PageResponse,
    SelectError, Selection, SubmitError,
};
use rest::fields::FieldError;
use rest::json::ObjectWriter;
use store::{
    AddressDigest, DeliveryFilter, DeliveryState, Document, ObjectId, Page, RetryOutcome,
    Statistics, StoreError,
};
use tokio::sync::{Notify, watch};

use super::query::{Query, SuppressionQuery, parse_retry, parse_suppression};
use super::relay::Relay;
use super::settings::DeliveryArgs;
use super::{Delivery, DeliveryContext, worker};
use crate::reminders::{self, sweep};

/// How long a service that stops waits for the mails in progress.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Notifications on a page for which no limit is given.
const PAGE_LIMIT: usize = 1000;
const NO_RELAY: &str = "No mail relay is configured.";
const NO_KEY: &str = "Reminders are turned off.";
/// The action that changes whether an address gets mails.
const SUPPRESSION: &str = "suppression";

impl Extension for Delivery {
    type Args = DeliveryArgs;

    const ACTIONS: &'static [&'static str] = &["retry"];
    const COLLECTION_ACTIONS: &'static [&'static str] = &["retry", SUPPRESSION];

    fn check(args: &DeliveryArgs) -> Result<(), String> {
        args.reminders.check()?;
        args.mail.settings().map(drop)
    }

    fn start(args: &DeliveryArgs, service: ExtensionContext) -> Result<Self, String> {
        let store = Arc::clone(&service.store);
        let reminders = args.reminders.reminders(Arc::clone(&store))?.map(Arc::new);
        let sweeper = sweep::run(Arc::clone(&store), Arc::clone(&service.writes));
        let sweeper = Some(tokio::spawn(sweeper).abort_handle());
        let Some(settings) = args.mail.settings()? else {
            tracing::info!("no mail relay is configured: notifications are stored but not sent");
            return Ok(Self { store, sending: None, reminders, sweeper });
        };
        let context = Arc::new(DeliveryContext {
            relay: Relay::new(&settings)?,
            settings,
            service,
            reminders: reminders.clone(),
            changed: Notify::new(),
            stopping: watch::Sender::new(false),
        });
        let (host, port) = (&context.settings.host, context.settings.port);
        tracing::info!(%host, port, "notifications are sent to the mail relay");
        tokio::spawn(worker::run(Arc::clone(&context)));
        Ok(Self { store, sending: Some(context), reminders, sweeper })
    }

    fn written(&self) {
        if let Some(context) = &self.sending {
            context.changed.notify_one();
        }
    }

    async fn select(&self, query: &str, page: Page) -> Result<Option<Selection>, SelectError> {
        let query = Query::parse(query, self.sending.is_some())?;
        if query.is_empty() {
            return Ok(None);
        }
        let limit = page.limit.unwrap_or(PAGE_LIMIT);
        let filter = DeliveryFilter {
            recipient: query.to_mail.as_ref().map(|address| address.to_ascii_lowercase()),
            state: query.state,
            after: page.after,
            // One more than the page holds tells whether there is a next page.
            limit: limit.saturating_add(1),
        };
        let mut found = self.store.deliveries(filter).await?;
        let has_next = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_next);
        let next = last.map(|(document, _)| query.next(limit, document.id));
        let documents = found.into_iter().map(|(document, delivery)| match delivery {
            Some(delivery) if query.with_state => with_state(&document, &delivery.state),
            _ => document.bytes,
        });
        Ok(Some(Selection { documents: documents.collect(), next }))
    }

    fn wants_extended(&self, query: &str) -> Result<bool, Vec<FieldError>> {
        // The other parameters are for lists.
        Query::parse(query, self.sending.is_some()).map(|query| query.with_state)
    }

    async fn extended(&self, id: ObjectId) -> Result<Option<Bytes>, StoreError> {
        let Some((document, delivery)) = self.store.delivery(id).await? else { return Ok(None) };
        Ok(Some(match delivery {
            Some(delivery) if self.sending.is_some() => with_state(&document, &delivery.state),
            _ => document.bytes,
        }))
    }

    async fn run_action(&self, id: ObjectId, _action: &str) -> Result<ActionOutcome, StoreError> {
        let Some(context) = &self.sending else { return Ok(ActionOutcome::Refused(NO_RELAY)) };
        Ok(match self.store.retry(id).await? {
            RetryOutcome::Accepted => {
                context.changed.notify_one();
                ActionOutcome::Accepted
            }
            RetryOutcome::NotFound => ActionOutcome::NotFound,
            RetryOutcome::NotFailed => {
                ActionOutcome::Refused("Only failed or expired notifications can be retried.")
            }
        })
    }

    async fn run_on_all(&self, action: &str, query: &str) -> Result<Bytes, ActionError> {
        if action == SUPPRESSION {
            return self.suppression(query).await;
        }
        let Some(context) = &self.sending else { return Err(ActionError::Refused(NO_RELAY)) };
        let state = parse_retry(query).map_err(ActionError::Query)?;
        let retried = self.store.retry_all(state).await?;
        tracing::info!(retried, state = state.as_str(), "notifications are sent again");
        context.changed.notify_one();
        let mut body = Vec::new();
        let mut object = ObjectWriter::new(&mut body);
        object.number("retried", retried);
        object.finish();
        Ok(body.into())
    }

    fn page_kind(path: &str) -> Option<PageKind> {
        reminders::page_kind(path)
    }

    async fn page(&self, request: PageRequest<'_>) -> Result<PageResponse, StoreError> {
        match &self.reminders {
            Some(reminders) => reminders.page(request).await,
            None => Ok(not_found()),
        }
    }

    async fn submit(
        &self,
        request: PageRequest<'_>,
        body: Bytes,
    ) -> Result<PageResponse, SubmitError> {
        let Some(reminders) = &self.reminders else { return Err(SubmitError::Refused(NO_KEY)) };
        // Unsubscribing and confirming work even while no mails are sent.
        let has_mail_sent = reminders::page_kind(request.path) == Some(PageKind::Submission);
        if has_mail_sent && self.sending.is_none() {
            return Err(SubmitError::Refused(NO_RELAY));
        }
        let page = reminders.submit(request, &body).await?;
        self.written();
        Ok(page)
    }

    fn write_status(&self, statistics: &Statistics, out: &mut ObjectWriter<'_>) {
        let Some(context) = &self.sending else {
            out.text("mail", "off");
            return;
        };
        let (host, port) = (&context.settings.host, context.settings.port);
        out.text("mail", &format!("{host}:{port}"));
        out.object("notifications", |out| {
            for (name, count) in statistics.deliveries {
                out.number(name.as_str(), count);
            }
        });
    }

    async fn stop(&self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
        let Some(context) = &self.sending else { return };
        context.stopping.send_replace(true);
        // The worker and its attempts hold receivers until they have finished.
        if tokio::time::timeout(STOP_TIMEOUT, context.stopping.closed()).await.is_err() {
            tracing::warn!("some mails did not finish in time and may be sent again");
        }
    }
}

impl Delivery {
    /// Changes whether an address gets mails, or only tells it.
    async fn suppression(&self, query: &str) -> Result<Bytes, ActionError> {
        let SuppressionQuery { to_mail, set } =
            parse_suppression(query).map_err(ActionError::Query)?;
        let address = AddressDigest::of(&to_mail);
        let is_suppressed = match set {
            Some(is_suppressed) => {
                self.store.suppress(address, is_suppressed).await?;
                is_suppressed
            }
            None => self.store.is_suppressed(address).await?,
        };
        let mut body = Vec::new();
        let mut object = ObjectWriter::new(&mut body);
        object.text("suppressed", if is_suppressed { "yes" } else { "no" });
        object.finish();
        Ok(body.into())
    }
}

/// There are no pages without a key.
fn not_found() -> PageResponse {
    let body = Bytes::from_static(b"{\"error\": \"Path not found.\"}");
    PageResponse {
        status: StatusCode::NOT_FOUND,
        media_type: "application/json",
        body,
        ..PageResponse::default()
    }
}

/// A notification with the state of its delivery.
fn with_state(document: &Document, state: &DeliveryState) -> Bytes {
    let mut out = document.bytes.to_vec();
    if let Some(mut object) = ObjectWriter::reopen(&mut out) {
        write_state(state, &mut object);
        object.finish();
    }
    out.into()
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

#[cfg(test)]
mod tests;
