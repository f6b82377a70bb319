//! Reminders that visitors ask for on the page of an event, and that the addressee confirms.
//!
//! ```text
//! settings  from the command line
//! request   what a page asks for
//! stored    a reminder as it is stored: in a notification
//! links     the links in mails
//! bounds    how many reminders may be asked for
//! page      the pages behind the links
//! sweep     removes reminders that nobody has confirmed, and those that are over
//! ```
//!
//! A reminder that was asked for is a notification that is due at once: its mail asks the addressee
//! to confirm. Once that is done, the notification is replaced by that of the reminder. No text of
//! a visitor is ever sent: the texts are signed by the events service.

mod bounds;
mod links;
mod page;
mod request;
mod settings;
mod stored;
pub(crate) mod sweep;

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use pages::{Assets, Keys, LanguageSetting};
use rest::Resource;
use rest::extension::{Caching, PageKind, PageRequest, PageResponse, SubmitError};
use rest::json::ObjectWriter;
use store::{
    AddressDigest, Condition, Document, IdGenerator, ObjectId, Store, StoreError, Write,
    WriteOutcome,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Notification;
use bounds::Bounds;
pub(crate) use links::Links;
#[cfg(test)]
pub(crate) use links::tests::links as test_links;
use request::NewReminder;
pub(crate) use settings::ReminderArgs;
use stored::Unconfirmed;
pub(crate) use stored::{State, StoredReminder};

/// How long a reminder can be confirmed.
const CONFIRMATION_TIME: SignedDuration = SignedDuration::from_hours(48);
/// How long an answer to a reminder that was asked for takes at least, so that it does not tell
/// whether something was stored.
const ANSWER_TIME: Duration = Duration::from_millis(50);
/// How long a mail is retried, at most.
const RETRY_TIME: SignedDuration = SignedDuration::from_hours(24);

/// Takes, confirms and ends reminders.
#[derive(Debug)]
pub(crate) struct Reminders {
    store: Arc<dyn Store>,
    ids: IdGenerator,
    keys: Keys,
    links: Links,
    language: LanguageSetting,
    /// How long a reminder is kept after it was due.
    retention: SignedDuration,
    bounds: Bounds,
    assets: Assets,
    /// Held while a reminder is created, so that bounds hold for those that come at once.
    creating: Mutex<()>,
}

/// How the confirmation of a reminder ended.
enum Confirmation {
    /// It is confirmed; its address.
    Done(String),
    /// Its address wants no mails.
    Suppressed,
    /// It is gone, or too old.
    Expired,
}

/// What there is at a path of the pages.
pub(crate) fn page_kind(path: &str) -> Option<PageKind> {
    match path {
        "/reminders" => Some(PageKind::Submission),
        links::CONFIRM | links::UNSUBSCRIBE => Some(PageKind::Form),
        path => Assets::has(path).then_some(PageKind::Page),
    }
}

impl Reminders {
    /// The links in mails.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// The page at a path.
    pub(crate) async fn page(&self, request: PageRequest<'_>) -> Result<PageResponse, StoreError> {
        let PageRequest { path, query, languages } = request;
        if let Some(file) = self.assets.get(path, query) {
            return Ok(file);
        }
        let page = self.frame(languages);
        if path == links::UNSUBSCRIBE {
            let Some(address) = self.links.unsubscribed(query) else { return Ok(page.invalid()) };
            let is_suppressed = self.store.is_suppressed(address).await?;
            return Ok(page.unsubscribe(is_suppressed));
        }
        Ok(match self.reminder(query).await? {
            Some((_, to_mail, StoredReminder { state: State::Confirmed, .. })) => {
                page.confirmed(&to_mail)
            }
            Some((_, to_mail, reminder)) if reminder.is_open(Timestamp::now()) => {
                page.confirm(&to_mail, &reminder)
            }
            _ => page.expired(),
        })
    }

    /// Takes what a page sends.
    pub(crate) async fn submit(
        &self,
        request: PageRequest<'_>,
        body: &[u8],
    ) -> Result<PageResponse, SubmitError> {
        let page = self.frame(request.languages);
        Ok(match request.path {
            links::UNSUBSCRIBE => {
                let Some(address) = self.links.unsubscribed(request.query) else {
                    return Ok(page.invalid());
                };
                // Mail programs send `List-Unsubscribe=One-Click` (RFC 8058).
                let undo = form_urlencoded::parse(body).any(|(name, _)| name == "undo");
                self.store.suppress(address, !undo).await?;
                if undo { page.undone() } else { page.unsubscribe(true) }
            }
            links::CONFIRM => match self.confirm(request.query).await? {
                Confirmation::Done(to_mail) => page.confirmed(&to_mail),
                Confirmation::Suppressed => page.unsubscribe(true),
                Confirmation::Expired => page.expired(),
            },
            _ => {
                let (now, end) = (Timestamp::now(), Instant::now() + ANSWER_TIME);
                let new = request::parse(body, &self.keys, now)?;
                self.bounds.admit_today().map_err(SubmitError::TooMany)?;
                self.create(new, now).await?;
                tokio::time::sleep_until(end).await;
                accepted()
            }
        })
    }

    /// Creates a reminder that is to be confirmed, unless the address has enough of them or wants
    /// none: whoever asks is not told.
    async fn create(&self, new: NewReminder, now: Timestamp) -> Result<(), SubmitError> {
        let _creating = self.creating.lock().await;
        let address = AddressDigest::of(&new.to_mail);
        if self.store.is_suppressed(address).await? {
            tracing::info!("a reminder was asked for an address that wants no mails");
            return Ok(());
        }
        if !self.bounds.admit_address(&*self.store, &new, now).await? {
            tracing::info!("an address has enough reminders that are not confirmed, or in all");
            return Ok(());
        }
        let confirm_by = now.saturating_add(CONFIRMATION_TIME).unwrap_or(Timestamp::MAX);
        // Nobody wants to be reminded of what has started.
        let confirm_by = confirm_by.min(new.start);
        let id = self.ids.next();
        let document = stored::unconfirmed(id, &new, now, confirm_by);
        let facts = Notification::facts_of(&document.bytes);
        self.store.write(Write::Create { document, facts }).await?;
        Ok(())
    }

    /// Confirms a reminder, if it can be.
    async fn confirm(&self, query: &str) -> Result<Confirmation, StoreError> {
        loop {
            let Some((document, to_mail, reminder)) = self.reminder(query).await? else {
                return Ok(Confirmation::Expired);
            };
            if self.store.is_suppressed(AddressDigest::of(&to_mail)).await? {
                return Ok(Confirmation::Suppressed);
            }
            let now = Timestamp::now();
            let open = match reminder.state {
                State::Confirmed => return Ok(Confirmation::Done(to_mail)),
                State::Unconfirmed(ref open) if reminder.is_open(now) => open,
                State::Unconfirmed(_) => return Ok(Confirmation::Expired),
            };
            let confirmed = self.confirmed(document.id, &to_mail, &reminder, open, now);
            let facts = Notification::facts_of(&confirmed.bytes);
            let condition = Condition::only(document.tag);
            let write = Write::Replace { document: confirmed, facts, condition };
            match self.store.write(write).await? {
                WriteOutcome::Done(_) => return Ok(Confirmation::Done(to_mail)),
                WriteOutcome::NotFound => return Ok(Confirmation::Expired),
                // Somebody else has changed it: look again.
                WriteOutcome::ConditionFailed | WriteOutcome::Created(_) => {}
            }
        }
    }

    fn confirmed(
        &self,
        id: ObjectId,
        to_mail: &str,
        reminder: &StoredReminder,
        open: &Unconfirmed,
        now: Timestamp,
    ) -> Document {
        // One that was due before it was confirmed is due now.
        let due = open.due.max(now);
        let remove_at =
            due.saturating_add(self.retention.max(RETRY_TIME)).unwrap_or(Timestamp::MAX);
        stored::confirmed(id, to_mail, reminder, open, due, remove_at)
    }

    /// The reminder that a link names: its document, address and state.
    async fn reminder(
        &self,
        query: &str,
    ) -> Result<Option<(Document, String, StoredReminder)>, StoreError> {
        let Some(id) = self.links.confirmed(query) else { return Ok(None) };
        let document = self.store.get(id).await?;
        Ok(document.and_then(|document| {
            let (to_mail, reminder) = stored::read(&document.bytes)?;
            Some((document, to_mail, reminder))
        }))
    }

    fn frame(&self, languages: &str) -> page::Pages<'_> {
        page::Pages::new(&self.assets, self.language.of(languages))
    }
}

/// The answer to every reminder that was asked for, whether a mail is sent or not.
fn accepted() -> PageResponse {
    let mut body = Vec::new();
    let mut object = ObjectWriter::new(&mut body);
    object.text("state", "unconfirmed");
    object.finish();
    PageResponse {
        status: StatusCode::ACCEPTED,
        media_type: "application/json",
        body: body.into(),
        caching: Caching::Never,
        ..PageResponse::default()
    }
}
