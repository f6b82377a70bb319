//! The worker: sends due mails to the relay, several at a time and at a limited rate, and records
//! how each attempt ended.

use std::sync::Arc;
use std::time::Duration;

use rest::ObjectId;
use rest::store::{Document, Store, StoreError, Tag};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::book::{Book, Entry};
use super::mail::StoredNotification;
use super::relay::CONNECTIONS;
use super::state::{AttemptOutcome, DeliveryState};
use super::{DeliveryContext, now};

/// The longest time between two looks at the clock, which may be set.
const MAX_SLEEP: Duration = Duration::from_secs(60);
/// The time until a failed access to the store is retried, or a mail while the service is
/// read-only.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Works until the service stops, and then finishes the attempts in progress.
pub(super) async fn run(context: Arc<DeliveryContext>) {
    let mut stopping = context.stopping.subscribe();
    let permits = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let work = async {
        while let Err(error) = load(&context).await {
            tracing::error!(%error, "cannot read the notifications to send");
            tokio::time::sleep(RETRY_DELAY).await;
        }
        let mut rate = interval(Duration::from_secs(1) / context.settings.rate);
        rate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            save_changes(&context).await;
            let Some((id, entry)) = take_due_or_wait(&context).await else { continue };
            rate.tick().await;
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let context = Arc::clone(&context);
            tokio::spawn(async move {
                deliver(&context, id, entry).await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = work => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    // The relay may accept the mails in progress at any moment, which should be recorded.
    let _ = permits.acquire_many(CONNECTIONS).await;
    save_changes(&context).await;
}

/// Takes a notification that is due. `None` after a wait, when there may be other work.
async fn take_due_or_wait(context: &DeliveryContext) -> Option<(ObjectId, Entry)> {
    let (taken, next_due) = {
        let mut book = context.book();
        (book.take_due(now()), book.next_due())
    };
    if taken.is_some() {
        return taken;
    }
    let sleep = next_due
        .map_or(MAX_SLEEP, |due| Duration::from_millis(due.saturating_sub(now())).min(MAX_SLEEP));
    tokio::select! {
        () = tokio::time::sleep(sleep) => {}
        () = context.changed.notified() => {}
    }
    None
}

/// Reads all notifications and the states of their deliveries into the book.
async fn load(context: &Arc<DeliveryContext>) -> Result<(), StoreError> {
    let since = context.records.since(now()).await?;
    let context = Arc::clone(context);
    rest::store::blocking(move || {
        let mut recorded = context.records.read_all()?;
        for chunk in context.service.store.list_all() {
            for document in chunk? {
                let Some(id) = ObjectId::of_document(&document) else { continue };
                let recorded = recorded.remove(&id);
                let mut book = context.book();
                // A change since the service has started is in the book already, and is newer.
                if book.get(id).is_none() {
                    add_stored(&context, &mut book, id, &document, recorded, since);
                }
            }
        }
        // The remaining records are of notifications that have been deleted.
        let mut book = context.book();
        for id in recorded.into_keys() {
            if book.get(id).is_none() {
                book.forget(id);
            }
        }
        Ok(())
    })
    .await
}

/// Adds a stored notification to the book, with the state that was recorded.
fn add_stored(
    context: &DeliveryContext,
    book: &mut Book,
    id: ObjectId,
    document: &[u8],
    recorded: Option<Entry>,
    since: u64,
) {
    let tag = Tag::of(document).0;
    if let Some(recorded) = recorded.filter(|recorded| recorded.tag == tag) {
        return book.set(id, recorded);
    }
    // First seen when it was created, or when this service began to send, whichever is later.
    let seen = since.max(id.created() * 1000);
    if let Some(stored) = StoredNotification::parse(document) {
        let state = DeliveryState::initial(stored.due(), seen, context.settings.expiry);
        book.set(id, Entry { state, tag });
    }
}

/// Updates the book after a notification was created, replaced or deleted.
pub(super) fn changed(context: &DeliveryContext, id: ObjectId) {
    let mut book = context.book();
    // Read while the book is locked: whichever of two changes is handled last reads the later.
    match context.service.store.read(id) {
        Ok(None) => book.forget(id),
        Ok(Some(document)) => update(context, &mut book, id, &document),
        Err(error) => tracing::error!(%error, %id, "cannot read a changed notification"),
    }
    drop(book);
    context.changed.notify_one();
}

fn update(context: &DeliveryContext, book: &mut Book, id: ObjectId, document: &Document) {
    let (tag, now) = (document.tag.0, now());
    let known = book.get(id);
    if known.is_some_and(|known| known.tag == tag) {
        return;
    }
    let Some(stored) = StoredNotification::parse(&document.bytes) else { return };
    let state = match known.map(|known| &known.state) {
        // A notification that was sent is sent again only if it is set to a later time.
        Some(sent @ DeliveryState::Sent { .. }) if stored.due() <= now => sent.clone(),
        _ => DeliveryState::initial(stored.due(), now, context.settings.expiry),
    };
    let entry = Entry { state, tag };
    if entry.state.due().is_some() { book.set(id, entry) } else { book.set_unwritten(id, entry) }
}

/// Attempts to deliver a notification that was due, and records how that ended.
async fn deliver(context: &DeliveryContext, id: ObjectId, taken: Entry) {
    // While the service is read-only, its data may be on the way to another service, which will
    // send the mail.
    let Some(permit) = context.service.writes.begin() else {
        let due = now() + u64::try_from(RETRY_DELAY.as_millis()).unwrap_or(u64::MAX);
        let state = DeliveryState::Scheduled { due, failures: taken.state.failures().cloned() };
        context.book().settle(id, Entry { state, tag: taken.tag });
        return;
    };
    let outcome = attempt(context, id, taken.tag).await;
    let Some(outcome) = outcome else { return changed(context, id) };
    let state = taken.state.after(outcome, now(), context.settings.retry, jitter());
    log(id, &state);
    let entry = Entry { state, tag: taken.tag };
    // Durable first: a crash must not take back what clients have seen.
    while let Err(error) = context.records.write(id, Some(&entry)).await {
        tracing::error!(%error, %id, "cannot record the delivery of a notification");
        tokio::time::sleep(RETRY_DELAY).await;
    }
    drop(permit);
    context.book().settle(id, entry);
    context.changed.notify_one();
}

/// Makes one attempt; `None` if the notification has been deleted or replaced.
async fn attempt(context: &DeliveryContext, id: ObjectId, tag: u64) -> Option<AttemptOutcome> {
    let document = match context.service.store.get(id).await {
        Ok(document) => document?,
        Err(error) => return Some(AttemptOutcome::Retry(error.to_string())),
    };
    if document.tag.0 != tag {
        return None;
    }
    let stored = StoredNotification::parse(&document.bytes)?;
    Some(match stored.mail(id, tag, &context.settings.from) {
        Ok(mail) => context.relay.send(mail).await,
        Err(problem) => AttemptOutcome::Rejected(problem),
    })
}

/// Records the states that have changed without an attempt.
async fn save_changes(context: &DeliveryContext) {
    loop {
        let Some((id, entry)) = context.book().take_unwritten() else { return };
        if let Err(error) = context.records.write(id, entry.as_ref()).await {
            tracing::error!(%error, %id, "cannot record the state of a notification");
            return;
        }
    }
}

/// Logs how an attempt ended, without the content of the mail. The relay's answer may name an
/// address.
fn log(id: ObjectId, state: &DeliveryState) {
    match state {
        DeliveryState::Sent { attempts, .. } => tracing::info!(%id, attempts, "sent"),
        DeliveryState::Failed { attempts, reason, .. } => {
            tracing::warn!(%id, attempts, reason, "failed, and will not be retried");
        }
        DeliveryState::Scheduled { failures: Some(failures), .. } => {
            let (attempts, reason) = (failures.count, &failures.reason);
            tracing::warn!(%id, attempts, reason, "failed, and will be retried");
        }
        _ => {}
    }
}

/// A random number from 0 to 1.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}
