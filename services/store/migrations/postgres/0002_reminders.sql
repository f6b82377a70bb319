-- When documents are removed that nobody has replaced by then, in milliseconds. A row whose tag is
-- not that of the document is of a former one.
CREATE TABLE removals (
    id bytea PRIMARY KEY,
    tag bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX removals_by_time ON removals (at);

-- Who gets no mails: digests of addresses, and since when in milliseconds.
CREATE TABLE suppressions (
    address bytea PRIMARY KEY,
    since bigint NOT NULL
);
