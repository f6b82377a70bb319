//! Resource ids: MongoDB's `ObjectId` of 24 hexadecimal digits, which the first EventPost used
//! and its clients know.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{self, AtomicU32};
use std::time::{SystemTime, UNIX_EPOCH};

/// A 12-byte id that sorts by the time of its creation.
///
/// Layout as in the [BSON specification](https://www.mongodb.com/docs/manual/reference/bson-types/#objectid):
/// seconds since 1970 (4 bytes), a random value for each process (5), a counter (3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId([u8; 12]);

// The order of the bytes, compared as numbers in a few instructions: every read searches by it.
impl Ord for ObjectId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number().cmp(&other.number())
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a service's document begins with, before its id.
const DOCUMENT_BEGIN: &[u8] = b"{\"id\": \"";

/// The text is not 24 hexadecimal digits.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidId;

impl ObjectId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The id's bytes, as stored.
    pub const fn bytes(&self) -> &[u8; 12] {
        &self.0
    }

    fn number(self) -> (u64, u32) {
        let (high, low) = self.0.split_at(8);
        let (high, low) = (high.try_into(), low.try_into());
        (
            u64::from_be_bytes(high.expect("eight bytes")),
            u32::from_be_bytes(low.expect("four bytes")),
        )
    }

    /// The id at the beginning of a service's document: `{"id": "…"`.
    pub fn of_document(document: &[u8]) -> Option<Self> {
        let hex = document.strip_prefix(DOCUMENT_BEGIN)?.get(..24)?;
        std::str::from_utf8(hex).ok()?.parse().ok()
    }

    /// The 24 digits of the id at the beginning of a service's document.
    pub(crate) fn place_in(document: &mut [u8]) -> Option<&mut [u8]> {
        Self::of_document(document)?;
        document.get_mut(DOCUMENT_BEGIN.len()..DOCUMENT_BEGIN.len() + 24)
    }

    /// The next greater id. The greatest has none, and is returned itself.
    #[must_use]
    pub fn next(self) -> Self {
        let mut bytes = self.0;
        for byte in bytes.iter_mut().rev() {
            let (sum, overflows) = byte.overflowing_add(1);
            *byte = sum;
            if !overflows {
                return Self(bytes);
            }
        }
        self
    }

    /// When it was created, in seconds since 1970: its first four bytes.
    pub fn created(self) -> u64 {
        self.number().0 >> 32
    }

    /// The 24 lowercase hexadecimal digits, as ASCII bytes.
    pub fn hex(&self) -> [u8; 24] {
        let mut hex = [0; 24];
        crate::hex::write(&self.0, &mut hex);
        hex
    }
}

impl FromStr for ObjectId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits: &[u8; 24] = text.as_bytes().try_into().map_err(|_| InvalidId)?;
        let mut id = [0; 12];
        let mut all = 0;
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (value(pair[0]), value(pair[1]));
            *byte = high << 4 | low & 0xf;
            all |= high | low;
        }
        if all == NOT_A_DIGIT { Err(InvalidId) } else { Ok(Self(id)) }
    }
}

/// What [`VALUES`] holds for bytes that are not digits: its high bits stay set in whatever it is
/// combined with.
const NOT_A_DIGIT: u8 = 0xff;

/// The value of each hexadecimal digit.
const VALUES: [u8; 256] = {
    let mut values = [NOT_A_DIGIT; 256];
    let mut value: u8 = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

fn value(digit: u8) -> u8 {
    VALUES[usize::from(digit)]
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

/// Generates ids that no other process generates.
#[derive(Debug)]
pub struct IdGenerator {
    process: [u8; 5],
    counter: AtomicU32,
}

impl IdGenerator {
    /// Draws the process's random value. Fails only if the system has no source of randomness.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut process = [0; 5];
        getrandom::fill(&mut process)?;
        let counter = AtomicU32::new(getrandom::u32()?);
        Ok(Self { process, counter })
    }

    /// Part of the process's random value, for the ids of requests.
    pub fn process(&self) -> u32 {
        let [a, b, c, d, _] = self.process;
        u32::from_be_bytes([a, b, c, d])
    }

    /// A new id, stamped with the current time.
    pub fn next(&self) -> ObjectId {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The format has 32 bits for the seconds, which wrap in 2106.
        #[expect(clippy::cast_possible_truncation)]
        let seconds = since_1970.as_secs() as u32;
        let count = self.counter.fetch_add(1, atomic::Ordering::Relaxed);
        let mut id = [0; 12];
        id[..4].copy_from_slice(&seconds.to_be_bytes());
        id[4..9].copy_from_slice(&self.process);
        id[9..].copy_from_slice(&count.to_be_bytes()[1..]);
        ObjectId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_parsed_and_formatted() {
        let text = "5e0745fe9c1a2b3c4d5e6f70";
        let id: ObjectId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.hex(), text.as_bytes());
        assert_eq!(text.to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn anything_but_24_hex_digits_is_refused() {
        for text in ["", "abc", "5e0745fe9c1a2b3c4d5e6f7", "5e0745fe9c1a2b3c4d5e6f70a"] {
            assert_eq!(text.parse::<ObjectId>(), Err(InvalidId), "{text}");
        }
        assert_eq!("zzzzzzzzzzzzzzzzzzzzzzzz".parse::<ObjectId>(), Err(InvalidId));
        assert_eq!("ñ5e0745fe9c1a2b3c4d5e6f7".parse::<ObjectId>(), Err(InvalidId));
    }

    #[test]
    fn ids_are_ordered_as_their_bytes() {
        let mut ids: Vec<_> =
            (0..12).map(|at| std::array::from_fn(|n| if n == at { 0x80 } else { 7 })).collect();
        ids.extend([[0; 12], [0xff; 12]]);
        for (a, b) in ids.iter().flat_map(|a| ids.iter().map(move |b| (*a, *b))) {
            assert_eq!(ObjectId(a).cmp(&ObjectId(b)), a.cmp(&b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_next_id_is_the_least_that_is_greater() {
        let id = |text: &str| text.parse::<ObjectId>().unwrap();
        let next = |text| id(text).next();
        assert_eq!(next("5e0745fe9c1a2b3c4d5e6f70"), id("5e0745fe9c1a2b3c4d5e6f71"));
        assert_eq!(next("5e0745fe9c1a2b3c4dffffff"), id("5e0745fe9c1a2b3c4e000000"));
        assert_eq!(next("ffffffffffffffffffffffff"), id("ffffffffffffffffffffffff"));
    }

    #[test]
    fn generated_ids_differ_and_carry_the_time() {
        let ids = IdGenerator::new().unwrap();
        let (first, second) = (ids.next(), ids.next());
        assert_ne!(first, second);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let stamp = u32::from_be_bytes(first.bytes()[..4].try_into().unwrap());
        assert!(now.abs_diff(u64::from(stamp)) < 60);
    }
}
