//! What the writes of one transaction change, before it is sent.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use super::status::Status;
use crate::columns::{Columns, signed};
use crate::settings::{Growth, Limits};
use crate::{
    Condition, Delivery, DeliveryState, Document, Facts, ObjectId, Schedule, SearchFacts,
    StoreError, Tag, Write, WriteOutcome, tokens,
};

/// A document as it is stored, or as it will be.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) tag: Tag,
    pub(super) length: u64,
    /// Its bytes, where they are needed.
    pub(super) document: Option<Result<Document, ObjectId>>,
}

/// A delivery as it is stored, or as it will be.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    pub(super) recipient: String,
    pub(super) delivery: Delivery,
}

/// What there is under an id, and whether it was changed.
#[derive(Debug, Default)]
struct Entry {
    document: Option<Stored>,
    facts: Option<SearchFacts>,
    delivery: Option<Scheduled>,
    remove_at: Option<u64>,
    is_changed: bool,
    is_delivery_changed: bool,
}

/// The changes of one transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) status: Status,
    entries: BTreeMap<ObjectId, Entry>,
    limits: Limits,
    /// In milliseconds since 1970.
    now: u64,
    has_changed: bool,
}

/// Rows of documents, by column.
#[derive(Debug, Default)]
pub(super) struct DocumentRows<'a> {
    pub(super) ids: Vec<ObjectId>,
    pub(super) tags: Vec<Tag>,
    pub(super) times: Vec<Option<i64>>,
    pub(super) tokens: Vec<Option<String>>,
    pub(super) bodies: Vec<&'a [u8]>,
}

/// Rows of deliveries, by column.
#[derive(Debug, Default)]
pub(super) struct DeliveryRows<'a> {
    pub(super) ids: Vec<ObjectId>,
    pub(super) tags: Vec<Tag>,
    pub(super) recipients: Vec<&'a str>,
    pub(super) states: Vec<i16>,
    pub(super) due: Vec<Option<i64>>,
    pub(super) first: Vec<Option<i64>>,
    pub(super) attempts: Vec<Option<i32>>,
    pub(super) times: Vec<Option<i64>>,
    pub(super) reasons: Vec<Option<String>>,
}

/// When documents are removed, by column.
#[derive(Debug, Default)]
pub(super) struct RemovalRows {
    pub(super) ids: Vec<ObjectId>,
    pub(super) tags: Vec<Tag>,
    pub(super) times: Vec<i64>,
}

impl Batch {
    pub(super) fn new(status: Status, limits: Limits, now: u64) -> Self {
        Self { status, entries: BTreeMap::new(), limits, now, has_changed: false }
    }

    /// Notes a document that was read.
    pub(super) fn load_document(&mut self, id: ObjectId, stored: Stored) {
        self.entries.entry(id).or_default().document = Some(stored);
    }

    /// Notes a delivery that was read.
    pub(super) fn load_delivery(&mut self, id: ObjectId, delivery: Scheduled) {
        self.entries.entry(id).or_default().delivery = Some(delivery);
    }

    /// Whether anything is to be written.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Adds a write. An error refuses this one, and the others go on.
    pub(super) fn apply(&mut self, write: &Write) -> Result<WriteOutcome, StoreError> {
        match write {
            Write::Create { document, facts } => {
                let document = match self.status.last_id {
                    Some(last) if document.id <= last => document.with_id(last.next()),
                    _ => document.clone(),
                };
                self.put(&document, facts)?;
                return Ok(WriteOutcome::Created(document));
            }
            Write::Insert { document, facts } => self.put(document, facts)?,
            Write::Replace { document, facts, condition } => {
                if let Some(refused) = self.refuses(document.id, condition) {
                    return Ok(refused);
                }
                self.put(document, facts)?;
            }
            Write::Remove { id, condition } => {
                if let Some(refused) = self.refuses(*id, condition) {
                    return Ok(refused);
                }
                return Ok(WriteOutcome::Done(self.remove(*id)));
            }
        }
        Ok(WriteOutcome::Done(None))
    }

    /// Why a document is not to be changed, if it is not.
    fn refuses(&self, id: ObjectId, condition: &Condition) -> Option<WriteOutcome> {
        match self.entries.get(&id).and_then(|entry| entry.document.as_ref()) {
            None => Some(WriteOutcome::NotFound),
            Some(stored) if condition.holds(stored.tag) => None,
            Some(_) => Some(WriteOutcome::ConditionFailed),
        }
    }

    fn put(&mut self, document: &Document, facts: &Facts) -> Result<(), StoreError> {
        let entry = self.entries.entry(document.id).or_default();
        let (length, status) = (document.bytes.len() as u64, &mut self.status);
        let old_length = entry.document.as_ref().map(|stored| stored.length);
        let (documents, bytes) = (status.documents, status.bytes);
        self.limits.allow(&Growth { documents, bytes, old_length, length })?;
        status.documents += u64::from(old_length.is_none());
        status.bytes = status.bytes.saturating_sub(old_length.unwrap_or(0)) + length;
        status.last_id = status.last_id.max(Some(document.id));
        let tag = document.tag;
        entry.document = Some(Stored { tag, length, document: Some(Ok(document.clone())) });
        entry.facts.clone_from(&facts.search);
        entry.remove_at = facts.remove_at;
        entry.is_changed = true;
        self.has_changed = true;
        match &facts.delivery {
            Some(schedule) => entry.schedule(tag, schedule, self.now, status.mail_expiry),
            None => entry.unschedule(),
        }
        Ok(())
    }

    fn remove(&mut self, id: ObjectId) -> Option<Document> {
        let entry = self.entries.get_mut(&id)?;
        let stored = entry.document.take()?;
        entry.facts = None;
        entry.remove_at = None;
        entry.is_changed = true;
        entry.unschedule();
        self.has_changed = true;
        self.status.documents = self.status.documents.saturating_sub(1);
        self.status.bytes = self.status.bytes.saturating_sub(stored.length);
        // A damaged one can be removed, but not be shown.
        stored.document?.ok()
    }

    /// Ids whose documents are to be removed.
    pub(super) fn removed(&self) -> Vec<ObjectId> {
        let removed = |entry: &Entry| entry.is_changed && entry.document.is_none();
        self.ids(removed)
    }

    /// Ids whose deliveries are to be removed.
    pub(super) fn removed_deliveries(&self) -> Vec<ObjectId> {
        let removed = |entry: &Entry| entry.is_delivery_changed && entry.delivery.is_none();
        self.ids(removed)
    }

    fn ids(&self, which: impl Fn(&Entry) -> bool) -> Vec<ObjectId> {
        self.entries.iter().filter(|(_, entry)| which(entry)).map(|(id, _)| *id).collect()
    }

    /// The documents to be stored.
    pub(super) fn documents(&self) -> DocumentRows<'_> {
        let mut rows = DocumentRows::default();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.is_changed) {
            let document = entry.document.as_ref().and_then(|stored| stored.document.as_ref());
            let Some(Ok(document)) = document else { continue };
            rows.ids.push(*id);
            rows.tags.push(document.tag);
            rows.times.push(entry.facts.as_ref().map(|facts| facts.at));
            rows.tokens.push(entry.facts.as_ref().map(tokens::of_facts));
            rows.bodies.push(&document.bytes);
        }
        rows
    }

    /// When documents are to be removed.
    pub(super) fn removals(&self) -> RemovalRows {
        let mut rows = RemovalRows::default();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.is_changed) {
            if let (Some(stored), Some(at)) = (&entry.document, entry.remove_at) {
                rows.push(*id, stored.tag, at);
            }
        }
        rows
    }

    /// The deliveries to be stored.
    pub(super) fn deliveries(&self) -> DeliveryRows<'_> {
        let mut rows = DeliveryRows::default();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.is_delivery_changed) {
            if let Some(scheduled) = &entry.delivery {
                rows.push(*id, scheduled);
            }
        }
        rows
    }
}

impl RemovalRows {
    pub(super) fn push(&mut self, id: ObjectId, tag: Tag, at: u64) {
        self.ids.push(id);
        self.tags.push(tag);
        self.times.push(signed(at));
    }
}

impl<'a> DeliveryRows<'a> {
    /// The values of the statement that stores them.
    pub(super) fn values(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.tags,
            &self.recipients,
            &self.states,
            &self.due,
            &self.first,
            &self.attempts,
            &self.times,
            &self.reasons,
        ]
    }

    pub(super) fn push(&mut self, id: ObjectId, scheduled: &'a Scheduled) {
        let columns = Columns::from(&scheduled.delivery.state);
        self.ids.push(id);
        self.tags.push(scheduled.delivery.tag);
        self.recipients.push(&scheduled.recipient);
        self.states.push(super::rows::state_number(columns.state));
        self.due.push(columns.due);
        self.first.push(columns.first);
        self.attempts.push(columns.attempts.map(u32::cast_signed));
        self.times.push(columns.time);
        self.reasons.push(columns.reason.as_deref().map(super::rows::text));
    }
}

impl Entry {
    fn schedule(&mut self, tag: Tag, schedule: &Schedule, now: u64, expiry: Option<u64>) {
        let known = self.delivery.as_ref().map(|it| (&it.delivery.state, it.delivery.tag));
        if let Some(state) = DeliveryState::after_write(known, tag, schedule, now, expiry) {
            let delivery = Delivery { state, tag };
            self.delivery = Some(Scheduled { recipient: schedule.recipient.clone(), delivery });
            self.is_delivery_changed = true;
        }
    }

    fn unschedule(&mut self) {
        if self.delivery.take().is_some() {
            self.is_delivery_changed = true;
        }
    }
}
