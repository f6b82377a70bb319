//! Changes which addresses get no mails.

use rusqlite::params;

use super::Writer;
use crate::columns::signed;
use crate::{AddressDigest, Suppression};

impl Writer {
    pub(super) fn suppress(
        &self,
        address: AddressDigest,
        is_suppressed: bool,
        now: u64,
    ) -> rusqlite::Result<()> {
        if is_suppressed {
            return self.put_suppression(&Suppression { address, since: now });
        }
        let sql = "DELETE FROM suppressions WHERE address = ?1";
        self.connection.prepare_cached(sql)?.execute([address.bytes()])?;
        Ok(())
    }

    /// Notes a suppression. One that is there already stays.
    pub(super) fn put_suppression(&self, suppression: &Suppression) -> rusqlite::Result<()> {
        let Suppression { address, since } = suppression;
        let sql = "INSERT OR IGNORE INTO suppressions (address, since) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![address.bytes(), signed(*since)])?;
        Ok(())
    }
}
