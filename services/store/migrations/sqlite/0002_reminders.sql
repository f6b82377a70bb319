-- When documents are removed that nobody has replaced by then, in milliseconds. A row whose tag is
-- not that of the document is of a former one.
CREATE TABLE removals (
    id BLOB PRIMARY KEY,
    tag INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX removals_by_time ON removals (at);

-- Who gets no mails: digests of addresses, and since when in milliseconds.
CREATE TABLE suppressions (
    address BLOB PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
