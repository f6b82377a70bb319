-- What the whole file is about: the collection, and since when mails are sent.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Kept by the writer and written in each of its transactions. The number of commits tells one
-- state from another.
CREATE TABLE totals (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    commits INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    sending INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    expired INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);

-- By number and not by id: a table without row numbers keeps whole rows in its inner pages too,
-- and rows of this size would leave room for a few of them only.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    -- Of the body as it was stored: a body that has another was damaged.
    tag INTEGER NOT NULL,
    -- Its key in `positions` and `search`, if it can be searched for.
    key INTEGER,
    body BLOB NOT NULL
) STRICT;

-- By time: the key is the seconds of the event times 2^20, and a number that makes it unique.
CREATE TABLE positions (
    key INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;

-- Row numbers are keys of `positions`, so that what matches comes in the order of time. Tokens
-- are "w" and a word, "p" and a word of the place, "t" and a topic in hexadecimal digits.
CREATE VIRTUAL TABLE search USING fts5 (
    tokens,
    content = '',
    contentless_delete = 1,
    detail = none,
    tokenize = 'ascii',
    prefix = '2 3 4'
);

-- The tokens of words that are too long for the index of beginnings above. A search for the
-- beginning of a long word asks for the words themselves, which FTS5 walks in the order of time,
-- while it would read everything that begins so first. Some may be in no document any more.
CREATE TABLE words (
    token TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- States are 0 scheduled, 1 sending, 2 sent, 3 failed, 4 expired. Times are in milliseconds.
CREATE TABLE deliveries (
    id BLOB PRIMARY KEY,
    tag INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    state INTEGER NOT NULL,
    -- When the next attempt is due; while one is in progress, when its claim ends.
    due INTEGER,
    -- When the first attempt failed.
    first INTEGER,
    attempts INTEGER,
    -- When it was sent, failed or expired.
    time INTEGER,
    reason TEXT,
    -- Tells the claim of the attempt in progress from others.
    claim INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_recipient ON deliveries (recipient, id);
CREATE INDEX deliveries_by_state ON deliveries (state, id);
CREATE INDEX deliveries_by_due ON deliveries (due) WHERE due IS NOT NULL;
