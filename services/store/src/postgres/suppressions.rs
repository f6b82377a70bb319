//! Addresses that get no mails.

use super::connection::Connection;
use super::pool::Pool;
use crate::clock::now;
use crate::columns::{rows, signed};
use crate::{AddressDigest, StoreError, Suppression};

const CONTAINS: &str = "SELECT 1 FROM suppressions WHERE address = $1";
const ADD: &str = "INSERT INTO suppressions (address, since)
     SELECT * FROM unnest($1::bytea[], $2::bigint[]) ON CONFLICT (address) DO NOTHING";
const REMOVE: &str = "DELETE FROM suppressions WHERE address = $1";
const SELECT: &str =
    "SELECT address, since FROM suppressions WHERE address > $1 ORDER BY address LIMIT $2";

/// Whether an address gets no mails.
pub(super) async fn contains(pool: &Pool, address: AddressDigest) -> Result<bool, StoreError> {
    let mut connection = pool.get().await?;
    let found = connection.query_opt(CONTAINS, &[&address.bytes().as_slice()]).await?;
    Ok(found.is_some())
}

/// Notes that an address gets no mails any more, or that it does again.
pub(super) async fn suppress(
    pool: &Pool,
    address: AddressDigest,
    is_suppressed: bool,
) -> Result<(), StoreError> {
    let mut connection = pool.get().await?;
    if is_suppressed {
        return add(&mut connection, &[Suppression { address, since: now() }]).await;
    }
    connection.execute(REMOVE, &[&address.bytes().as_slice()]).await?;
    Ok(())
}

/// Notes suppressions. Those that are there already stay.
pub(super) async fn add(
    connection: &mut Connection,
    suppressions: &[Suppression],
) -> Result<(), StoreError> {
    let addresses: Vec<_> = suppressions.iter().map(|it| it.address.bytes().as_slice()).collect();
    let since: Vec<_> = suppressions.iter().map(|it| signed(it.since)).collect();
    connection.execute(ADD, &[&addresses, &since]).await?;
    Ok(())
}

/// Some suppressions of addresses after one, by address.
pub(super) async fn select(
    connection: &mut Connection,
    after: Option<AddressDigest>,
    limit: usize,
) -> Result<Vec<Suppression>, StoreError> {
    let after = after.as_ref().map_or(&[][..], |address| address.bytes().as_slice());
    let found = connection.query(SELECT, &[&after, &rows(limit)]).await?;
    let read = found.iter().map(|row| Ok((row.try_get::<_, &[u8]>(0)?, row.try_get::<_, i64>(1)?)));
    let read = read.collect::<Result<Vec<_>, tokio_postgres::Error>>();
    let read = connection.judge(read)?;
    // What is no digest is not one of ours.
    let suppressions = read.into_iter().filter_map(|(address, since)| {
        let address = AddressDigest::from_bytes(address.try_into().ok()?);
        Some(Suppression { address, since: since.cast_unsigned() })
    });
    Ok(suppressions.collect())
}
