//! This module owns the sorted map from ids to places in the log file, and the account
//! of how much of the file is still of use.
//!
//! Entries lie packed in leaves, which a [`Snapshot`] shares with the index: taking one
//! copies no entry, and a change copies at most the leaf that it touches. So a list, a
//! rewrite or a copy sees one state of the store for as long as it takes, and no write
//! waits for it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::format::{Kind, RECORD_HEADER_LEN};
use crate::id::ObjectId;

/// Entries of a full leaf: 12 KiB, which is what a change beside a snapshot copies.
const LEAF: usize = 512;

/// Where a record lies: its offset in the file and its document's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

impl Location {
    /// The bytes that the record takes in the file.
    pub(crate) fn size(self) -> u64 {
        RECORD_HEADER_LEN as u64 + u64::from(self.length)
    }
}

/// A live record. Packed: 24 bytes for each resource are what the index costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    offset: u64,
    length: u32,
    pub(crate) id: ObjectId,
}

const _: () = assert!(size_of::<Entry>() == 24);

impl Entry {
    fn new(id: ObjectId, location: Location) -> Self {
        Self { offset: location.offset, length: location.length, id }
    }

    pub(crate) fn location(self) -> Location {
        Location { offset: self.offset, length: self.length }
    }
}

/// The live records of a log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By ascending id, none empty.
    leaves: Vec<Leaf>,
    count: usize,
    live_bytes: u64,
}

#[derive(Debug, Clone)]
struct Leaf {
    /// The id of the first entry, here so that a search touches few leaves.
    first: ObjectId,
    entries: Arc<Vec<Entry>>,
}

impl Leaf {
    fn new(entries: Vec<Entry>) -> Self {
        Self { first: entries[0].id, entries: Arc::new(entries) }
    }

    /// As `slice::binary_search`, but it begins where the id would be if ids were
    /// evenly spaced. They nearly are, and of a large index little is in the
    /// processor's cache: each place looked at costs more than all the arithmetic.
    fn find(&self, id: ObjectId) -> Result<usize, usize> {
        let entries = &self.entries[..];
        let last = entries.len() - 1;
        let (mut low, mut high) = (0, entries.len());
        let mut at = guess(id, self.first, entries[last].id, last);
        // Doubling steps from there until the place is between `low` and `high`.
        let mut step = 1;
        loop {
            match entries[at].id.cmp(&id) {
                Ordering::Equal => return Ok(at),
                Ordering::Less => {
                    low = at + 1;
                    at += step;
                }
                Ordering::Greater => {
                    high = at;
                    at = at.saturating_sub(step);
                }
            }
            if at < low || at >= high {
                break;
            }
            step *= 2;
        }
        let found = entries[low..high].binary_search_by_key(&id, |entry| entry.id);
        found.map(|at| low + at).map_err(|at| low + at)
    }
}

/// Where `id` lies among `last` + 1 evenly spaced ones.
fn guess(id: ObjectId, first: ObjectId, last_id: ObjectId, last: usize) -> usize {
    let span = last_id.to_u128() - first.to_u128();
    let ahead = id.to_u128().saturating_sub(first.to_u128()).min(span);
    // In 64 bits, of which the upper ones matter: the product stays below 2^64 for up to
    // 2^16 entries.
    let shift = (128 - span.leading_zeros()).saturating_sub(48);
    let (ahead, span) = (ahead >> shift, (span >> shift).max(1));
    usize::try_from(ahead * last as u128 / span).unwrap_or(last).min(last)
}

impl Index {
    pub(crate) fn get(&self, id: ObjectId) -> Option<Location> {
        let leaf = self.leaves.get(self.leaf_of(id))?;
        let at = leaf.find(id).ok()?;
        Some(leaf.entries[at].location())
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The bytes that the live records take in the file.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The first `limit` entries whose ids are greater than `after`, as they are now.
    pub(crate) fn snapshot(&self, after: Option<ObjectId>, limit: usize) -> Snapshot {
        let from = after.map_or(0, |id| self.leaf_of(id));
        let skip = match (after, self.leaves.get(from)) {
            (Some(id), Some(leaf)) => leaf.find(id).map_or_else(|at| at, |at| at + 1),
            _ => 0,
        };
        let mut found = 0;
        let mut leaves = Vec::new();
        for leaf in &self.leaves[from..] {
            if found > limit {
                break;
            }
            found += leaf.entries.len() - if leaves.is_empty() { skip } else { 0 };
            leaves.push(Arc::clone(&leaf.entries));
        }
        Snapshot { leaves, leaf: 0, next: skip, left: found.min(limit), more: found > limit }
    }

    /// Takes over what a record at `location` did.
    pub(crate) fn apply(&mut self, kind: Kind, id: ObjectId, location: Location) {
        let before = match kind {
            Kind::Put => {
                self.live_bytes += location.size();
                self.put(Entry::new(id, location))
            }
            Kind::Remove => self.remove(id),
            Kind::End => None,
        };
        match (kind, before) {
            (Kind::Put, None) => self.count += 1,
            (Kind::Remove, Some(_)) => self.count -= 1,
            _ => {}
        }
        self.live_bytes -= before.map_or(0, Location::size);
    }

    /// The place of the leaf that holds `id` if any does.
    fn leaf_of(&self, id: ObjectId) -> usize {
        self.leaves.partition_point(|leaf| leaf.first <= id).saturating_sub(1)
    }

    fn put(&mut self, entry: Entry) -> Option<Location> {
        let at = self.leaf_of(entry.id);
        let last = at + 1 >= self.leaves.len();
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.leaves.push(Leaf::new(vec![entry]));
            return None;
        };
        match leaf.find(entry.id) {
            Ok(found) => {
                let place = &mut Arc::make_mut(&mut leaf.entries)[found];
                return Some(std::mem::replace(place, entry).location());
            }
            // Ids ascend as they are made: a new leaf leaves the old one full.
            Err(LEAF) if last => self.leaves.push(Leaf::new(vec![entry])),
            Err(place) => {
                let entries = Arc::make_mut(&mut leaf.entries);
                entries.insert(place, entry);
                leaf.first = entries[0].id;
                if entries.len() > LEAF {
                    let upper = entries.split_off(LEAF / 2);
                    self.leaves.insert(at + 1, Leaf::new(upper));
                }
            }
        }
        None
    }

    fn remove(&mut self, id: ObjectId) -> Option<Location> {
        let at = self.leaf_of(id);
        let leaf = self.leaves.get_mut(at)?;
        let found = leaf.find(id).ok()?;
        let entries = Arc::make_mut(&mut leaf.entries);
        let removed = entries.remove(found).location();
        match entries.first() {
            Some(first) => {
                leaf.first = first.id;
                self.join_with_next(at);
            }
            None => drop(self.leaves.remove(at)),
        }
        Some(removed)
    }

    /// Joins a leaf with the next where both have become small, so that removals do
    /// not leave a trail of nearly empty leaves.
    fn join_with_next(&mut self, at: usize) {
        let Some(next) = self.leaves.get(at + 1) else { return };
        if self.leaves[at].entries.len() + next.entries.len() > LEAF / 2 {
            return;
        }
        let next = self.leaves.remove(at + 1);
        Arc::make_mut(&mut self.leaves[at].entries).extend_from_slice(&next.entries);
    }
}

/// Some entries as they were when it was taken, by ascending id.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    leaves: Vec<Arc<Vec<Entry>>>,
    /// The leaf of the next entry, and its place in there.
    leaf: usize,
    next: usize,
    left: usize,
    more: bool,
}

impl Snapshot {
    /// How many entries have not been taken.
    pub(crate) fn len(&self) -> usize {
        self.left
    }

    /// Whether there were more entries than the limit let in.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// The bytes of the documents of the entries that have not been taken.
    pub(crate) fn document_bytes(&self) -> u64 {
        self.entries().map(|entry| u64::from(entry.length)).sum()
    }

    /// The last entry's id.
    pub(crate) fn last_id(&self) -> Option<ObjectId> {
        self.entries().last().map(|entry| entry.id)
    }

    /// Takes entries from the front until their records fill `bytes`; at least one,
    /// where there is one.
    pub(crate) fn take(&mut self, bytes: u64) -> Vec<Entry> {
        let mut size = 0;
        let fits = |entry: &Entry| {
            let first = size == 0;
            size += entry.location().size();
            first || size <= bytes
        };
        let taken: Vec<_> = self.entries().take_while(fits).collect();
        self.next += taken.len();
        self.left -= taken.len();
        while let Some(leaf) = self.leaves.get(self.leaf).filter(|leaf| leaf.len() <= self.next) {
            self.next -= leaf.len();
            self.leaf += 1;
        }
        taken
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let leaves = self.leaves.get(self.leaf..).unwrap_or_default();
        leaves.iter().flat_map(|leaf| leaf.iter().copied()).skip(self.next).take(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u16) -> ObjectId {
        let mut bytes = [0; 12];
        bytes[10..].copy_from_slice(&n.to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    fn location(n: u64) -> Location {
        Location { offset: n * 1000, length: 7 }
    }

    fn ids(mut snapshot: Snapshot, bytes: u64) -> Vec<ObjectId> {
        let chunks = std::iter::from_fn(|| Some(snapshot.take(bytes)).filter(|c| !c.is_empty()));
        chunks.flatten().map(|entry| entry.id).collect()
    }

    /// Changes of up to 3,000 ids, more of them puts at first and removals later, so
    /// that leaves split and join.
    fn changes() -> impl Strategy<Value = Vec<(bool, u16)>> {
        let phase = |puts: f64| {
            proptest::collection::vec((proptest::bool::weighted(puts), 0..3000_u16), 0..4000)
        };
        (phase(0.95), phase(0.2)).prop_map(|(first, second)| [first, second].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_holds_what_a_sorted_map_holds(changes in changes(), after in 0..3000_u16, limit in 0..2000_usize) {
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            for (n, (put, key)) in changes.iter().enumerate() {
                let (id, at) = (id(*key), location(n as u64));
                if *put {
                    index.apply(Kind::Put, id, at);
                    model.insert(id, at);
                } else {
                    index.apply(Kind::Remove, id, at);
                    model.remove(&id);
                }
            }
            prop_assert_eq!(index.len(), model.len());
            let bytes: u64 = model.values().map(|at| at.size()).sum();
            prop_assert_eq!(index.live_bytes(), bytes);
            for key in 0..3000 {
                prop_assert_eq!(index.get(id(key)), model.get(&id(key)).copied());
            }
            let all: Vec<_> = model.keys().copied().collect();
            prop_assert_eq!(ids(index.snapshot(None, usize::MAX), 500), all.clone());
            let rest: Vec<_> = all.into_iter().filter(|found| *found > id(after)).collect();
            let page = index.snapshot(Some(id(after)), limit);
            prop_assert_eq!(page.has_more(), rest.len() > limit);
            prop_assert_eq!(page.len(), rest.len().min(limit));
            let rest = &rest[..rest.len().min(limit)];
            prop_assert_eq!(page.last_id(), rest.last().copied());
            prop_assert_eq!(ids(page, 1), rest);
        }
    }

    #[test]
    fn a_snapshot_stays_as_it_was() {
        let mut index = Index::default();
        for n in 0..2000 {
            index.apply(Kind::Put, id(n), location(1));
        }
        let before = index.snapshot(None, usize::MAX);
        for n in 0..2000 {
            index.apply(if n % 2 == 0 { Kind::Put } else { Kind::Remove }, id(n), location(2));
        }
        index.apply(Kind::Put, id(2000), location(2));
        assert_eq!(before.len(), 2000);
        assert!(before.entries().all(|entry| entry.location() == location(1)));
        assert_eq!(index.len(), 1001);
    }

    #[test]
    fn ascending_ids_fill_leaves() {
        let mut index = Index::default();
        for n in 0..5000 {
            index.apply(Kind::Put, id(n), location(1));
        }
        assert_eq!(index.leaves.len(), 5000_usize.div_ceil(LEAF));
    }
}
