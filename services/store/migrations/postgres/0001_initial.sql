-- What the store is about as a whole, in one row. A transaction that changes documents locks it
-- until it has committed, so ids and commits become visible in their order.
CREATE TABLE status (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Drawn when the database is set up or restored: revisions of others are none of this one.
    epoch bigint NOT NULL,
    commits bigint NOT NULL DEFAULT 0,
    documents bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    -- The greatest id that was ever stored.
    last_id bytea NOT NULL DEFAULT '',
    -- Since when mails are sent, and how late one may be when it is first seen, in milliseconds.
    mail_since bigint,
    mail_expiry bigint
);

CREATE TABLE documents (
    id bytea PRIMARY KEY,
    -- Of the body as it was stored: a body that has another was damaged.
    tag bigint NOT NULL,
    -- The time of the event in seconds, and the tokens that find it, if it can be searched for.
    at bigint,
    tokens tsvector,
    body bytea NOT NULL
);
CREATE INDEX documents_by_time ON documents (at, id) WHERE at IS NOT NULL;
-- The list of pending entries, in KiB, is read by each search.
CREATE INDEX documents_by_token ON documents USING gin (tokens)
    WITH (gin_pending_list_limit = 128) WHERE tokens IS NOT NULL;

-- Tells the claims of one delivery apart.
CREATE SEQUENCE claims;

-- States are 0 scheduled, 1 sending, 2 sent, 3 failed, 4 expired. Times are in milliseconds.
CREATE TABLE deliveries (
    id bytea PRIMARY KEY,
    tag bigint NOT NULL,
    recipient text NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 0 AND 4),
    -- When the next attempt is due; while one is in progress, when its claim ends.
    due bigint,
    -- When the first attempt failed.
    first bigint,
    attempts integer,
    -- When it was sent, failed or expired.
    time bigint,
    reason text,
    -- The claim of the attempt in progress.
    claim bigint
);
CREATE INDEX deliveries_by_recipient ON deliveries (recipient, id);
CREATE INDEX deliveries_by_state ON deliveries (state, id);
CREATE INDEX deliveries_by_due ON deliveries (due) WHERE due IS NOT NULL;
