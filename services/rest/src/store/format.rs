//! This module owns the bytes of the log file. All numbers are little-endian.
//!
//! ```text
//! file    header, batch*
//! header  "EventPost log 1\n" or, of a copy, "EventPost copy1\n" (16),
//!         the collection's name padded with zeros (16)
//! batch   "EPB1" (4), payload length (4), CRC-32 of the length and the payload (4), payload
//! payload record*
//! record  CRC-32 of the rest (4), kind (1), id (12), document length (4), document
//! ```
//!
//! A batch is what one sync made durable: it is whole or it was never answered. The
//! record's own checksum is checked at every read.

use crate::id::ObjectId;

pub(crate) const HEADER_LEN: usize = 32;
pub(crate) const BATCH_HEADER_LEN: usize = 12;
pub(crate) const RECORD_HEADER_LEN: usize = 21;
/// No batch is larger, so no torn tail is either.
pub(crate) const MAX_PAYLOAD: usize = 8 << 20;

const MAGIC: &[u8; 16] = b"EventPost log 1\n";
const COPY_MAGIC: &[u8; 16] = b"EventPost copy1\n";
const BATCH_MAGIC: &[u8; 4] = b"EPB1";

/// What a record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put = 1,
    Remove = 2,
    /// Ends a copy; its document is the number of documents, in 8 bytes. Never in a log.
    End = 3,
}

/// A record read back; its document lies in the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: ObjectId,
    pub(crate) document: &'a [u8],
}

/// The first bytes of a log.
pub(crate) fn header(collection: &str) -> [u8; HEADER_LEN] {
    header_of(MAGIC, collection)
}

/// The first bytes of a copy.
pub(crate) fn copy_header(collection: &str) -> [u8; HEADER_LEN] {
    header_of(COPY_MAGIC, collection)
}

/// What a header says that its copy is of; none where it is the header of no copy. It is
/// a word: a folder of that name is where it belongs.
pub(crate) fn collection_of_copy(header: &[u8]) -> Option<String> {
    let name = header.strip_prefix(COPY_MAGIC)?;
    let name = std::str::from_utf8(name).ok()?.trim_end_matches('\0');
    let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    (header.len() == HEADER_LEN && is_word).then(|| name.to_owned())
}

fn header_of(magic: &[u8; 16], collection: &str) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..16].copy_from_slice(magic);
    // A longer name is that of no collection.
    let name = &collection.as_bytes()[..collection.len().min(HEADER_LEN - 16)];
    header[16..16 + name.len()].copy_from_slice(name);
    header
}

/// Says what a header is that is not the expected one.
pub(crate) fn describe_header(header: &[u8]) -> String {
    let holds = |name| {
        let name = String::from_utf8_lossy(name);
        // It may be printed, and be anything.
        name.trim_end_matches('\0').escape_debug().to_string()
    };
    match header.split_at_checked(MAGIC.len()) {
        Some((magic, name)) if magic == MAGIC => format!("it holds {}", holds(name)),
        Some((magic, name)) if magic == COPY_MAGIC => format!("it is a copy of {}", holds(name)),
        _ => "it does not begin as one".into(),
    }
}

/// Room for a batch's header, to be filled by [`finish_batch`].
pub(crate) fn begin_batch(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; BATCH_HEADER_LEN]);
}

/// Appends a record.
pub(crate) fn push_record(out: &mut Vec<u8>, kind: Kind, id: ObjectId, document: &[u8]) {
    let length = u32::try_from(document.len()).expect("a document is far smaller than 4 GiB");
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(kind as u8);
    out.extend_from_slice(id.bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(document);
    let sum = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Fills in the header of the batch that `batch` holds from its beginning.
pub(crate) fn finish_batch(batch: &mut [u8]) {
    let (header, payload) = batch.split_at_mut(BATCH_HEADER_LEN);
    let length = u32::try_from(payload.len()).expect("a batch is far smaller than 4 GiB");
    header[..4].copy_from_slice(BATCH_MAGIC);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = batch_sum(length, payload);
    header[8..].copy_from_slice(&sum.to_le_bytes());
}

/// The payload length that a batch's header announces; `None` where there is no
/// batch header.
pub(crate) fn batch_length(header: &[u8]) -> Option<usize> {
    let header = header.get(..BATCH_HEADER_LEN)?;
    let length = u32_at(header, 4) as usize;
    (&header[..4] == BATCH_MAGIC && length <= MAX_PAYLOAD).then_some(length)
}

/// Whether a batch is as it was written.
pub(crate) fn batch_is_whole(header: &[u8], payload: &[u8]) -> bool {
    batch_sum(u32_at(header, 4), payload) == u32_at(header, 8)
}

/// Reads the record at the start of `bytes`; `None` where it is not as written.
pub(crate) fn read_record(bytes: &[u8]) -> Option<Record<'_>> {
    let header = bytes.get(..RECORD_HEADER_LEN)?;
    let end = RECORD_HEADER_LEN.checked_add(u32_at(header, 17) as usize)?;
    let document = bytes.get(RECORD_HEADER_LEN..end)?;
    if crc32fast::hash(&bytes[4..end]) != u32_at(header, 0) {
        return None;
    }
    let kind = match header[4] {
        1 => Kind::Put,
        2 => Kind::Remove,
        3 => Kind::End,
        _ => return None,
    };
    let id = ObjectId::from_bytes(header[5..17].try_into().ok()?);
    Some(Record { kind, id, document })
}

fn batch_sum(length: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes([n; 12])
    }

    fn batch() -> Vec<u8> {
        let mut batch = Vec::new();
        begin_batch(&mut batch);
        push_record(&mut batch, Kind::Put, id(1), b"{\"id\": 1}");
        push_record(&mut batch, Kind::Remove, id(2), b"");
        finish_batch(&mut batch);
        batch
    }

    #[test]
    fn a_batch_reads_back() {
        let batch = batch();
        let (header, payload) = batch.split_at(BATCH_HEADER_LEN);
        assert_eq!(batch_length(header), Some(payload.len()));
        assert!(batch_is_whole(header, payload));
        let first = read_record(payload).unwrap();
        assert_eq!(first, Record { kind: Kind::Put, id: id(1), document: b"{\"id\": 1}" });
        let second = read_record(&payload[RECORD_HEADER_LEN + 9..]).unwrap();
        assert_eq!(second, Record { kind: Kind::Remove, id: id(2), document: b"" });
    }

    #[test]
    fn every_flipped_bit_of_a_batch_is_noticed() {
        let good = batch();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let (header, payload) = bad.split_at(BATCH_HEADER_LEN);
            let noticed = match batch_length(header) {
                Some(length) if length == payload.len() => !batch_is_whole(header, payload),
                _ => true,
            };
            assert!(noticed, "bit {bit}");
        }
    }

    #[test]
    fn a_header_of_another_collection_is_described() {
        assert_ne!(header("events"), header("notifications"));
        assert_eq!(describe_header(&header("notifications")), "it holds notifications");
        assert_eq!(describe_header(b"SQLite format 3"), "it does not begin as one");
    }
}
