//! The worker: sends due mails to the relay, several at a time and at a bounded rate, and
//! records the result of each attempt.

use std::sync::Arc;
use std::time::Duration;

use rest::ObjectId;
use rest::store::{Document, Store, StoreError, Tag};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::book::{Book, Entry};
use super::mail::Stored;
use super::relay::CONNECTIONS;
use super::state::{Attempt, State};
use super::{Shared, now};

/// Looked at again at least so often: clocks may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Until what the data do not take, or do not allow now, is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until the service stops, and then finishes what it is at.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut stopping = shared.stopping.subscribe();
    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let work = async {
        while let Err(error) = load(&shared).await {
            tracing::error!(%error, "what is to be sent cannot be read");
            tokio::time::sleep(PAUSE).await;
        }
        let mut rate = interval(Duration::from_secs(1) / shared.settings.rate);
        rate.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            write_down(&shared).await;
            let Some((id, entry)) = next(&shared).await else { continue };
            rate.tick().await;
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                deliver(&shared, id, entry).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = work => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    // What is at work may be taken by the relay any moment: it is better known than not.
    let _ = places.acquire_many(CONNECTIONS).await;
    write_down(&shared).await;
}

/// What is due, or none where something else is to be looked at first.
async fn next(shared: &Shared) -> Option<(ObjectId, Entry)> {
    let (taken, due) = {
        let mut book = shared.book();
        (book.take_due(now()), book.next_due())
    };
    if taken.is_some() {
        return taken;
    }
    let sleep = due.map_or(LONGEST_SLEEP, |due| {
        Duration::from_millis(due.saturating_sub(now())).min(LONGEST_SLEEP)
    });
    tokio::select! {
        () = tokio::time::sleep(sleep) => {}
        () = shared.changed.notified() => {}
    }
    None
}

/// Reads what there is: which notifications, and what became of them.
async fn load(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let since = shared.records.since(now()).await?;
    let reading = Arc::clone(shared);
    rest::store::blocking(move || {
        let mut known = reading.records.read_all()?;
        for chunk in reading.given.store.list_all() {
            for document in chunk? {
                let Some(id) = ObjectId::of_document(&document) else { continue };
                let known = known.remove(&id);
                let mut book = reading.book();
                // What changed since the service began is noted already, and newer.
                if book.get(id).is_none() {
                    note(&reading, &mut book, id, &document, known, since);
                }
            }
        }
        // What is left is of notifications that are gone.
        let mut book = reading.book();
        for id in known.into_keys() {
            if book.get(id).is_none() {
                book.forget(id);
            }
        }
        Ok(())
    })
    .await
}

/// Notes a notification that is there, with what is known of it.
fn note(
    shared: &Shared,
    book: &mut Book,
    id: ObjectId,
    document: &[u8],
    known: Option<Entry>,
    since: u64,
) {
    let tag = Tag::of(document).0;
    if let Some(known) = known.filter(|known| known.tag == tag) {
        return book.set(id, known);
    }
    // Seen when it was made, or when sending began here, whichever was later.
    let seen = since.max(id.created() * 1000);
    if let Some(stored) = Stored::read(document) {
        let state = State::first(stored.due(), seen, shared.settings.expiry);
        book.set(id, Entry { state, tag });
    }
}

/// Notes how a notification is that was made, changed or removed just now.
pub(super) fn changed(shared: &Shared, id: ObjectId) {
    let mut book = shared.book();
    // Read while the book is locked: of two changes, whoever notes last notes the later.
    match shared.given.store.read(id) {
        Ok(None) => book.forget(id),
        Ok(Some(document)) => note_change(shared, &mut book, id, &document),
        Err(error) => tracing::error!(%error, %id, "a changed notification cannot be read"),
    }
    drop(book);
    shared.changed.notify_one();
}

fn note_change(shared: &Shared, book: &mut Book, id: ObjectId, document: &Document) {
    let (tag, now) = (document.tag.0, now());
    let known = book.get(id);
    if known.is_some_and(|known| known.tag == tag) {
        return;
    }
    let Some(stored) = Stored::read(&document.bytes) else { return };
    let state = match known.map(|known| &known.state) {
        // Sent is sent: only one that is set to a later time is sent once more.
        Some(sent @ State::Sent { .. }) if stored.due() <= now => sent.clone(),
        _ => State::first(stored.due(), now, shared.settings.expiry),
    };
    let entry = Entry { state, tag };
    if entry.state.due().is_some() { book.set(id, entry) } else { book.set_unwritten(id, entry) }
}

/// Makes an attempt with what was due, and notes what came of it.
async fn deliver(shared: &Shared, id: ObjectId, taken: Entry) {
    // Where writes are refused, the data are on their way to another service, which
    // will send it.
    let Some(permit) = shared.given.writes.begin() else {
        let state = State::Scheduled { due: now() + 1000, tried: taken.state.tried().cloned() };
        shared.book().settle(id, Entry { state, tag: taken.tag });
        return;
    };
    let attempt = attempt(shared, id, taken.tag).await;
    let Some(attempt) = attempt else { return changed(shared, id) };
    let state = taken.state.after(attempt, now(), shared.settings.retry, chance());
    tell(id, &state);
    let entry = Entry { state, tag: taken.tag };
    // First on the disk: what clients see must not be taken back by a crash.
    while let Err(error) = shared.records.write(id, Some(&entry)).await {
        tracing::error!(%error, %id, "what became of a notification cannot be written down");
        tokio::time::sleep(PAUSE).await;
    }
    drop(permit);
    shared.book().settle(id, entry);
    shared.changed.notify_one();
}

/// One attempt; none where the notification is gone or is another one by now.
async fn attempt(shared: &Shared, id: ObjectId, tag: u64) -> Option<Attempt> {
    let document = match shared.given.store.get(id).await {
        Ok(document) => document?,
        Err(error) => return Some(Attempt::Later(error.to_string())),
    };
    if document.tag.0 != tag {
        return None;
    }
    let stored = Stored::read(&document.bytes)?;
    Some(match stored.mail(id, tag, &shared.settings.from) {
        Ok(mail) => shared.relay.send(mail).await,
        Err(problem) => Attempt::Never(problem),
    })
}

/// Writes down what changed without an attempt.
async fn write_down(shared: &Shared) {
    loop {
        let Some((id, entry)) = shared.book().take_unwritten() else { return };
        if let Err(error) = shared.records.write(id, entry.as_ref()).await {
            tracing::error!(%error, %id, "the state of a notification cannot be written down");
            return;
        }
    }
}

/// Contents are other people's, and not in the log; a relay's own words may name an address.
fn tell(id: ObjectId, state: &State) {
    match state {
        State::Sent { attempts, .. } => tracing::info!(%id, attempts, "sent"),
        State::Failed { attempts, why, .. } => {
            tracing::warn!(%id, attempts, why, "given up");
        }
        State::Scheduled { tried: Some(tried), .. } => {
            tracing::warn!(%id, attempts = tried.attempts, why = tried.why, "to be tried again");
        }
        _ => {}
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}
