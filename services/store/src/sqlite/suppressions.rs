//! Reads which addresses get no mails.

use rusqlite::{Connection, params};

use super::shared::Shared;
use crate::columns::rows;
use crate::{AddressDigest, StoreError, Suppression};

/// Whether an address gets no mails. Waits for the disk.
pub(super) fn contains(shared: &Shared, address: AddressDigest) -> Result<bool, StoreError> {
    let connection = shared.pool.take()?;
    let sql = "SELECT 1 FROM suppressions WHERE address = ?1";
    let read = || connection.prepare_cached(sql)?.exists([address.bytes()]);
    read().map_err(|error| shared.translate(&error))
}

/// Some suppressions of addresses after one, by address.
pub(super) fn select(
    connection: &Connection,
    after: Option<AddressDigest>,
    limit: usize,
) -> rusqlite::Result<Vec<Suppression>> {
    let sql =
        "SELECT address, since FROM suppressions WHERE address > ?1 ORDER BY address LIMIT ?2";
    let after = after.as_ref().map_or(&[][..], |address| address.bytes().as_slice());
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map(params![after, rows(limit)], |row| {
        let since = row.get::<_, i64>(1)?.cast_unsigned();
        Ok(Suppression { address: AddressDigest::from_bytes(row.get(0)?), since })
    })?;
    found.collect()
}
