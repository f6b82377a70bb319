//! Row numbers of documents.

use rusqlite::Connection;
use rusqlite::ffi::{self, SQLITE_CONSTRAINT_PRIMARYKEY};

use super::failure::code;
use crate::{ObjectId, Tag};

/// The row number that a document gets if it is free. It is made of the id, so that a read finds
/// the row with one search of a tree instead of two, and grows as ids do, so that new rows come
/// last.
pub(super) fn preferred(id: ObjectId) -> i64 {
    // Time, process and counter of an id, as `ObjectId` describes them.
    let [t0, t1, t2, t3, process @ .., c0, c1, c2] = *id.bytes();
    let time = i64::from(u32::from_be_bytes([t0, t1, t2, t3]));
    let counter = i64::from(u32::from_be_bytes([0, c0, c1, c2]));
    // Seven bits are left, which tell most processes apart.
    let process = process.iter().fold(0, |all, byte| all ^ byte) & 0x7f;
    time << 31 | counter << 7 | i64::from(process)
}

/// Inserts a document whose id is in no row, and returns its row number.
pub(super) fn insert(
    connection: &Connection,
    (id, tag, key, body): (ObjectId, Tag, Option<i64>, &[u8]),
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO documents (number, id, tag, key, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = connection.prepare_cached(sql)?;
    let number = preferred(id);
    match insert.execute((number, id, tag, key, body)) {
        Err(error) if is_taken(&error) => {}
        inserted => return inserted.map(|_| number),
    }
    let sql = "SELECT id FROM documents WHERE number = ?1";
    let owner: ObjectId = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0))?;
    if owner == id {
        // The index of ids has lost it.
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None));
    }
    // Preferred numbers are not negative.
    let sql = "SELECT min(number, 0) - 1 FROM (SELECT min(number) AS number FROM documents)";
    let number = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    insert.execute((number, id, tag, key, body))?;
    Ok(number)
}

fn is_taken(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|(_, extended)| extended == SQLITE_CONSTRAINT_PRIMARYKEY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdGenerator;

    #[test]
    fn preferred_numbers_grow_with_ids() {
        let ids = IdGenerator::new().unwrap();
        let mut last = preferred(ids.next());
        for _ in 0..1000 {
            let next = preferred(ids.next());
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert!(preferred(ObjectId::from_bytes([0xff; 12])) > 0);
    }
}
