//! This module owns the index of events in memory: by time, by topic, and by parts of
//! their texts.
//!
//! A text is known by its trigrams, hashed to one of [`SLICES`] bits. The bits lie by
//! trigram and not by event: a search for a word looks at a few slices of a bit per event,
//! and what all of them have is likely to have the word. Whether it has is for the text
//! itself to say.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::{Bound, RangeBounds};

use jiff::civil::{Date, DateTime, Time};
use rest::ObjectId;
use roaring::RoaringBitmap;
use serde::Deserialize;

use super::fold::{fold, topics};
use super::query::Query;

/// With some 200 trigrams in an event, a fifth of the bits are set: a word of seven
/// letters is mistaken in one event of 3,000.
const SLICES: usize = 1024;
const TRIGRAM: usize = 3;

/// When an event is, as a [`number`], and which.
pub(super) type Key = (i64, ObjectId);

/// What is read of an event as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct Stored<'a> {
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    description: Cow<'a, str>,
    date: &'a str,
    time: &'a str,
    #[serde(borrow)]
    place: Cow<'a, str>,
    #[serde(borrow)]
    organizer: Cow<'a, str>,
    #[serde(borrow)]
    topics: Cow<'a, str>,
}

impl<'a> Stored<'a> {
    pub(super) fn read(document: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }

    /// Whether it has the texts that are searched for.
    pub(super) fn has(&self, query: &Query) -> bool {
        query.place.as_ref().is_none_or(|place| fold(&self.place).contains(place.as_str()))
            && query
                .text
                .as_ref()
                .is_none_or(|text| self.texts().iter().any(|own| fold(own).contains(text.as_str())))
    }

    fn texts(&self) -> [&str; 5] {
        [&self.title, &self.description, &self.place, &self.organizer, &self.topics]
    }

    fn number(&self) -> i64 {
        let date = self.date.parse::<Date>().unwrap_or(Date::ZERO);
        number(date.to_datetime(self.time.parse().unwrap_or(Time::MIN)))
    }
}

/// The index.
#[derive(Debug)]
pub(super) struct Index {
    /// What each place is taken by.
    slots: Vec<Option<Slot>>,
    /// Places that are free again.
    free: Vec<u32>,
    by_id: HashMap<ObjectId, u32>,
    by_time: BTreeSet<Key>,
    /// The numbers of topics, by the topics.
    topics: HashMap<String, u32>,
    /// Which have a topic, by its number.
    by_topic: Vec<RoaringBitmap>,
    slices: Vec<Vec<u64>>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    topics: Box<[u32]>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            by_time: BTreeSet::new(),
            topics: HashMap::new(),
            by_topic: Vec::new(),
            slices: vec![Vec::new(); SLICES],
        }
    }
}

impl Index {
    fn note(&mut self, id: ObjectId, event: &Stored<'_>) {
        self.forget(id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("fewer events than 2^32")
        });
        let key = (event.number(), id);
        self.by_id.insert(id, slot);
        self.by_time.insert(key);
        let topics: Box<[_]> = topics(&event.topics).map(|it| self.topic_number(it)).collect();
        for topic in &topics {
            self.by_topic[*topic as usize].insert(slot);
        }
        self.slots[slot as usize] = Some(Slot { key, topics });
        let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
        let mut note = |slice: usize| {
            let slice = &mut self.slices[slice];
            if slice.len() <= word {
                slice.resize(word + 1, 0);
            }
            slice[word] |= bit;
        };
        for text in event.texts() {
            slices_of(&fold(text), Of::Text).for_each(&mut note);
        }
        slices_of(&fold(&event.place), Of::Place).for_each(&mut note);
    }

    fn forget(&mut self, id: ObjectId) {
        let Some(slot) = self.by_id.remove(&id) else { return };
        let Some(Slot { key, topics }) = self.slots[slot as usize].take() else { return };
        self.by_time.remove(&key);
        for topic in topics {
            self.by_topic[topic as usize].remove(slot);
        }
        let (word, bit) = (slot as usize / 64, 1_u64 << (slot % 64));
        for slice in &mut self.slices {
            if let Some(bits) = slice.get_mut(word) {
                *bits &= !bit;
            }
        }
        self.free.push(slot);
    }

    /// The events that a search may be for, in their order, and whether each is one for
    /// certain.
    pub(super) fn candidates(&self, query: &Query) -> (Vec<Key>, bool) {
        let certain = query.text.is_none() && query.place.is_none();
        let range = self.range(query);
        let in_range = |key: &Key| range.contains(key);
        let slots = match (&query.topic, self.sliced(query)) {
            (None, None) => {
                // Where nothing is left to be looked at, no more than a page is needed.
                let enough = if certain { query.limit.saturating_add(1) } else { usize::MAX };
                let page = |keys: &mut dyn Iterator<Item = &Key>| {
                    keys.take_while(|key| in_range(key)).take(enough).copied().collect()
                };
                // From one end only: a range whose ends are the wrong way round panics.
                let keys = if query.latest_first {
                    page(&mut self.by_time.range((Bound::Unbounded, range.1)).rev())
                } else {
                    page(&mut self.by_time.range((range.0, Bound::Unbounded)))
                };
                return (keys, certain);
            }
            (None, Some(slots)) => slots,
            (Some(topic), sliced) => match (self.of_topic(topic), sliced) {
                (None, _) => RoaringBitmap::new(),
                (Some(of_topic), None) => of_topic.clone(),
                (Some(of_topic), Some(slots)) => slots & of_topic,
            },
        };
        let keys = slots.iter().filter_map(|slot| self.slots[slot as usize].as_ref());
        let mut keys: Vec<_> = keys.map(|slot| slot.key).filter(in_range).collect();
        keys.sort_unstable();
        if query.latest_first {
            keys.reverse();
        }
        (keys, certain)
    }

    fn topic_number(&mut self, topic: String) -> u32 {
        let next = u32::try_from(self.by_topic.len()).expect("fewer topics than 2^32");
        let number = *self.topics.entry(topic).or_insert(next);
        if number == next {
            self.by_topic.push(RoaringBitmap::new());
        }
        number
    }

    fn of_topic(&self, topic: &str) -> Option<&RoaringBitmap> {
        Some(&self.by_topic[*self.topics.get(topic)? as usize])
    }

    /// The keys that a search is for.
    fn range(&self, query: &Query) -> (Bound<Key>, Bound<Key>) {
        let bound = |day: Option<Date>, time, id| {
            let day = day.map(|day| (number(day.to_datetime(time)), ObjectId::from_bytes(id)));
            day.map_or(Bound::Unbounded, Bound::Included)
        };
        let mut first = bound(query.from, Time::MIN, [0; 12]);
        let mut last = bound(query.to, Time::MAX, [0xff; 12]);
        if let Some(after) = self.after(query) {
            // What is before the days, in the order of the answer, bounds nothing.
            if query.latest_first && (Bound::Unbounded, last).contains(&after) {
                last = Bound::Excluded(after);
            } else if !query.latest_first && (first, Bound::Unbounded).contains(&after) {
                first = Bound::Excluded(after);
            }
        }
        (first, last)
    }

    /// Where the page before ended.
    fn after(&self, query: &Query) -> Option<Key> {
        let (id, at) = query.after?;
        let known = || self.by_id.get(&id).and_then(|slot| self.slots[*slot as usize].as_ref());
        Some((at.or_else(|| known().map(|slot| slot.key.0))?, id))
    }

    /// Whether an event is known.
    pub(super) fn knows(&self, id: ObjectId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Where all slices of what is searched for have a bit; none where nothing has any.
    fn sliced(&self, query: &Query) -> Option<RoaringBitmap> {
        let text = query.text.iter().flat_map(|text| slices_of(text, Of::Text));
        let place = query.place.iter().flat_map(|place| slices_of(place, Of::Place));
        let wanted: BTreeSet<_> = text.chain(place).collect();
        let mut wanted: Vec<_> = wanted.into_iter().map(|slice| &self.slices[slice]).collect();
        // The one that is filled the least ends the work the earliest.
        wanted.sort_by_key(|slice| slice.len());
        let (first, rest) = wanted.split_first()?;
        let mut found = RoaringBitmap::new();
        for (word, bits) in first.iter().enumerate() {
            let mut bits = *bits;
            for slice in rest {
                if bits == 0 {
                    break;
                }
                bits &= slice.get(word).copied().unwrap_or(0);
            }
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                found.insert(u32::try_from(slot).expect("fewer events than 2^32"));
                bits &= bits - 1;
            }
        }
        Some(found)
    }
}

impl rest::follow::Index for Index {
    fn set(&mut self, id: ObjectId, document: &[u8]) {
        if let Some(event) = Stored::read(document) {
            self.note(id, &event);
        }
    }

    fn remove(&mut self, id: ObjectId) {
        self.forget(id);
    }
}

/// What a text is of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Text,
    Place,
}

/// The slices of a folded text's trigrams.
fn slices_of(folded: &str, of: Of) -> impl Iterator<Item = usize> {
    let chars: Vec<char> = folded.chars().collect();
    let slices: Vec<_> = chars.windows(TRIGRAM).map(|trigram| slice(trigram, of)).collect();
    slices.into_iter()
}

fn slice(trigram: &[char], of: Of) -> usize {
    let seed = 0x9e37_79b9_7f4a_7c15_u64 ^ (of as u64);
    let mixed = trigram.iter().fold(seed, |hash, c| {
        (hash ^ u64::from(u32::from(*c))).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29)
    });
    usize::try_from(mixed >> 40).unwrap_or_default() % SLICES
}

/// A time as a number, which is ordered as times are. Not seconds since 1970: the last days
/// that an event may be on are after the last that these reach.
pub(super) fn number(time: DateTime) -> i64 {
    let date = (i64::from(time.year()) * 16 + i64::from(time.month())) * 32 + i64::from(time.day());
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    date * DAY + minutes * 60 + i64::from(time.second())
}

/// The time that a number is of.
pub(super) fn datetime(number: i64) -> Option<DateTime> {
    let (date, second) = (number / DAY, number % DAY);
    let part = |number: i64| i8::try_from(number).ok();
    let year = i16::try_from(date / 512).ok()?;
    let time = (part(second / 3600)?, part(second / 60 % 60)?, part(second % 60)?);
    DateTime::new(year, part(date / 32 % 16)?, part(date % 32)?, time.0, time.1, time.2, 0).ok()
}

/// More than the seconds of a day.
const DAY: i64 = 1 << 17;

#[cfg(test)]
mod tests {
    use rest::follow::Index as _;
    use rest::store::Page;

    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes([n; 12])
    }

    fn event(title: &str, date: &str, place: &str, topics: &str) -> Vec<u8> {
        format!(
            r#"{{"id": "x", "title": "{title}", "description": "What happens there and then.",
            "date": "{date}", "time": "10:00:00", "place": "{place}", "organizer": "",
            "topics": "{topics}"}}"#
        )
        .into_bytes()
    }

    fn index() -> Index {
        let mut index = Index::default();
        for (n, document) in [
            event("Harvest market", "2026-10-01", "Plaza Mayor", "food, Música"),
            event("Café philosophique", "2026-09-01", "Paris", "talk"),
            event("A concert", "2026-10-01", "Café Central", "música"),
        ]
        .iter()
        .enumerate()
        {
            index.set(id(u8::try_from(n).unwrap()), document);
        }
        index
    }

    fn found(index: &Index, query: &str) -> Vec<ObjectId> {
        let query = Query::parse(query, Page::ALL).unwrap().unwrap();
        index.candidates(&query).0.into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn what_is_searched_for_is_found_in_the_order_of_time() {
        let index = index();
        assert_eq!(found(&index, "topic=MUSICA"), [id(0), id(2)]);
        assert_eq!(found(&index, "from=2026-01-01"), [id(1), id(0), id(2)]);
        assert_eq!(found(&index, "to=2026-09-30"), [id(1)]);
        assert_eq!(found(&index, "from=2026-10-01&to=2026-10-01"), [id(0), id(2)]);
        assert_eq!(found(&index, "q=caf%C3%A9"), [id(1), id(2)]);
        assert_eq!(found(&index, "place=cafe"), [id(2)]);
        assert_eq!(found(&index, "q=market&topic=talk"), []);
        assert_eq!(found(&index, "topic=none"), []);
        assert_eq!(found(&index, "order=desc"), [id(2), id(0), id(1)]);
        assert_eq!(found(&index, "topic=musica&order=desc"), [id(2), id(0)]);
        assert_eq!(found(&index, "from=2026-10-02&to=2026-09-30&order=desc"), []);
    }

    #[test]
    fn what_is_gone_or_changed_is_not_found_as_it_was() {
        let mut index = index();
        index.remove(id(0));
        assert_eq!(found(&index, "topic=musica"), [id(2)]);
        assert_eq!(found(&index, "q=market"), []);
        let other = event("Another", "2027-01-01", "Lyon", "");
        index.set(id(2), &other);
        assert_eq!(found(&index, "topic=musica"), []);
        assert_eq!(found(&index, "q=another&place=lyon"), [id(2)]);
        assert_eq!(found(&index, "q=concert"), []);
        assert_eq!(index.slots.len(), 3, "its place is taken again");
    }

    #[test]
    fn times_are_numbers_and_back() {
        let mut before = i64::MIN;
        for text in ["0001-01-01T00:00:00", "2026-11-24T23:59:59", "9999-12-31T23:59:59"] {
            let time: DateTime = text.parse().unwrap();
            assert!(number(time) > before);
            before = number(time);
            assert_eq!(datetime(number(time)), Some(time));
        }
    }
}
