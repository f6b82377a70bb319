//! Documents that are removed at the time that was noted when they were stored.

use super::pool::Pool;
use crate::columns::rows;
use crate::{ObjectId, StoreError, Tag};

pub(super) const NOTE: &str = "INSERT INTO removals (id, tag, at)
     SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])
     ON CONFLICT (id) DO UPDATE SET tag = excluded.tag, at = excluded.at";
/// By the clock of the database, which all processes share.
const DUE: &str = "SELECT id, tag FROM removals
     WHERE at <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint ORDER BY at LIMIT $1";
const FORGET: &str = "DELETE FROM removals WHERE id = $1 AND tag = $2";

/// Those whose time has come.
pub(super) async fn due(pool: &Pool, limit: usize) -> Result<Vec<(ObjectId, Tag)>, StoreError> {
    let mut connection = pool.get().await?;
    let found = connection.query(DUE, &[&rows(limit)]).await?;
    let read = found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let read = read.collect::<Result<Vec<_>, tokio_postgres::Error>>();
    connection.judge(read)
}

/// Forgets when a document was to be removed.
pub(super) async fn forget(pool: &Pool, id: ObjectId, tag: Tag) -> Result<(), StoreError> {
    let mut connection = pool.get().await?;
    connection.execute(FORGET, &[&id, &tag]).await?;
    Ok(())
}
