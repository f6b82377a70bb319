//! This module owns the states of all notifications, and which of them is due next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rest::ObjectId;

use super::state::{DeliveryState, FailedAttempts, StateName};

/// The states of all notifications.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<ObjectId, Entry>,
    /// Those in each state.
    by_state: BTreeMap<StateName, BTreeSet<ObjectId>>,
    /// What is scheduled, by when it is due.
    due: BTreeSet<(u64, ObjectId)>,
    /// What is to be written down: its state has changed without an attempt.
    unwritten: BTreeSet<ObjectId>,
}

/// What is known of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: DeliveryState,
    /// The tag of the content that it is the state of.
    pub(super) tag: u64,
}

impl Book {
    /// Notes the state of a notification, whatever it was before.
    pub(super) fn set(&mut self, id: ObjectId, entry: Entry) {
        self.remove(id);
        self.due.extend(entry.state.due().map(|due| (due, id)));
        self.by_state.entry(entry.state.name()).or_default().insert(id);
        self.entries.insert(id, entry);
    }

    /// As [`Self::set`], and what is noted is to be written down.
    pub(super) fn set_unwritten(&mut self, id: ObjectId, entry: Entry) {
        self.set(id, entry);
        self.unwritten.insert(id);
    }

    /// Notes that a notification is gone, which is to be written down, too.
    pub(super) fn forget(&mut self, id: ObjectId) {
        self.remove(id);
        self.unwritten.insert(id);
    }

    fn remove(&mut self, id: ObjectId) {
        let Some(Entry { state, .. }) = self.entries.remove(&id) else { return };
        if let Some(due) = state.due() {
            self.due.remove(&(due, id));
        }
        if let Some(ids) = self.by_state.get_mut(&state.name()) {
            ids.remove(&id);
        }
    }

    /// What is known of a notification.
    pub(super) fn get(&self, id: ObjectId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Something that is to be written down, with its state; it counts as written.
    pub(super) fn take_unwritten(&mut self) -> Option<(ObjectId, Option<Entry>)> {
        let id = self.unwritten.pop_first()?;
        Some((id, self.entries.get(&id).cloned()))
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The one that is due the longest, which counts as being sent from now on.
    pub(super) fn take_due(&mut self, now: u64) -> Option<(ObjectId, Entry)> {
        let id = self.due.first().filter(|(due, _)| *due <= now)?.1;
        let entry = self.entries.get(&id)?.clone();
        let failures = entry.state.failures().cloned();
        self.set(id, Entry { state: DeliveryState::Sending { failures }, tag: entry.tag });
        Some((id, entry))
    }

    /// Notes how the sending of what was taken has ended, unless it is another
    /// notification by now. True where it was noted.
    pub(super) fn settle(&mut self, id: ObjectId, entry: Entry) -> bool {
        let at_it = |known: &Entry| {
            known.tag == entry.tag && matches!(known.state, DeliveryState::Sending { .. })
        };
        let still = self.get(id).is_some_and(at_it);
        if still {
            self.set(id, entry);
        }
        still
    }

    /// Those in a state, by ascending id, greater than `after`.
    pub(super) fn in_state(
        &self,
        name: StateName,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Vec<ObjectId> {
        let Some(ids) = self.by_state.get(&name) else { return Vec::new() };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        ids.range((from, Bound::Unbounded)).copied().take(limit).collect()
    }

    /// Has one that was given up be tried again at once, if it was.
    pub(super) fn retry(&mut self, id: ObjectId, now: u64) -> bool {
        let Some(entry) = self.get(id) else { return false };
        if !matches!(entry.state, DeliveryState::Failed { .. } | DeliveryState::Expired { .. }) {
            return false;
        }
        // A day begins anew, and attempts are counted from one.
        let failures = None::<FailedAttempts>;
        let entry =
            Entry { state: DeliveryState::Scheduled { due: now, failures }, tag: entry.tag };
        self.set_unwritten(id, entry);
        true
    }

    /// How many there are in a state.
    pub(super) fn count(&self, name: StateName) -> u64 {
        self.by_state.get(&name).map_or(0, |ids| ids.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes([n; 12])
    }

    fn scheduled(due: u64, tag: u64) -> Entry {
        Entry { state: DeliveryState::Scheduled { due, failures: None }, tag }
    }

    #[test]
    fn what_is_due_the_longest_comes_first_and_once() {
        let mut book = Book::default();
        book.set(id(1), scheduled(20, 0));
        book.set(id(2), scheduled(10, 0));
        assert_eq!(book.next_due(), Some(10));
        assert_eq!(book.take_due(9), None);
        assert_eq!(book.take_due(30).unwrap().0, id(2));
        assert_eq!(book.get(id(2)).unwrap().state.name(), StateName::Sending);
        assert_eq!(book.take_due(30).unwrap().0, id(1));
        assert_eq!(book.take_due(30), None);
    }

    #[test]
    fn what_changes_while_it_is_sent_is_sent_anew() {
        let mut book = Book::default();
        book.set(id(1), scheduled(10, 1));
        let (_, before) = book.take_due(10).unwrap();
        book.set(id(1), scheduled(50, 2));
        let sent = Entry { state: DeliveryState::Sent { time: 11, attempts: 1 }, tag: before.tag };
        assert!(!book.settle(id(1), sent.clone()));
        assert_eq!(book.next_due(), Some(50));
        book.forget(id(1));
        assert!(!book.settle(id(1), sent));
        assert_eq!((book.next_due(), book.take_unwritten()), (None, Some((id(1), None))));
    }

    #[test]
    fn only_what_was_given_up_is_tried_again() {
        let mut book = Book::default();
        book.set(id(1), Entry { state: DeliveryState::Expired { time: 1 }, tag: 0 });
        book.set(id(2), Entry { state: DeliveryState::Sent { time: 1, attempts: 1 }, tag: 0 });
        assert!(!book.retry(id(2), 5) && !book.retry(id(3), 5));
        assert!(book.retry(id(1), 5));
        assert_eq!(book.next_due(), Some(5));
        assert_eq!(book.in_state(StateName::Scheduled, None, 9), [id(1)]);
        assert_eq!(book.in_state(StateName::Sent, Some(id(2)), 9), []);
    }
}
