//! Says what an error of the database means for the store.

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::StoreError;

/// What an error of a database of this name means.
pub(super) fn translate(database: &str, error: &Error) -> StoreError {
    let unavailable =
        |reason: String| StoreError::Unavailable { database: database.into(), reason };
    let Some(cause) = error.as_db_error() else {
        // A row that has other columns than the schema says is an error of ours or of the schema.
        let is_of_connection = error.is_closed() || is_io(error);
        let reason = describe(error);
        return if is_of_connection {
            unavailable(reason)
        } else {
            StoreError::Database { database: database.into(), message: reason }
        };
    };
    let code = cause.code();
    let ends_session = matches!(cause.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    if is_unavailable(code) || (ends_session && !is_refused_login(code)) {
        return unavailable(cause.message().into());
    }
    if *code == SqlState::DISK_FULL {
        return StoreError::Full { path: database.into() };
    }
    if *code == SqlState::QUERY_CANCELED {
        return StoreError::Busy { why: "the database takes too long" };
    }
    if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
        return StoreError::Busy { why: "other changes take too long" };
    }
    if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        return StoreError::Damaged { path: database.into(), what: cause.message().into() };
    }
    StoreError::Database { database: database.into(), message: cause.message().into() }
}

/// Whether a code says that the server is there, but not for us, or not any more.
fn is_unavailable(code: &SqlState) -> bool {
    // Class 08 is "connection exception", 57P.. "operator intervention".
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || [SqlState::TOO_MANY_CONNECTIONS, SqlState::READ_ONLY_SQL_TRANSACTION].contains(code)
}

/// Whether a code says that this user may not use this database, which will not change by itself.
fn is_refused_login(code: &SqlState) -> bool {
    // Class 28 is "invalid authorization", 3D "invalid catalog name", 42501 a missing privilege.
    ["28", "3D", "42501"].iter().any(|class| code.code().starts_with(class))
}

fn is_io(error: &Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    // What the driver says of hosts that it cannot reach has no cause of this kind.
    let text = error.to_string();
    text.contains("connect") || text.contains("timeout") || text.contains("session attributes")
}

/// An error with its causes. The driver shows no values and no passwords.
pub(super) fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
