-- The head of an upload is constant in size; its parts are rows of their own. What changes with every part comes
-- first, so that reading it never walks into the overflow pages of long metadata.
-- Counts, sizes and CRCs are unsigned in 64 bits and are kept as the signed number of the same bits.
CREATE TABLE uploads (
    seq             INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL UNIQUE,
    epoch           INTEGER NOT NULL,
    phase           TEXT    NOT NULL,
    prefix_count    INTEGER NOT NULL,
    prefix_bytes    INTEGER NOT NULL,
    landed_count    INTEGER NOT NULL,
    landed_bytes    INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    is_cleared      INTEGER NOT NULL DEFAULT 0,
    -- All four or none: the acknowledged bytes that do not fill a part yet.
    tail_number     INTEGER,
    tail_bytes      INTEGER,
    tail_crc64      INTEGER,
    tail_mark       TEXT,
    -- Nothing in part_bytes means a free plan.
    part_bytes      INTEGER,
    total_bytes     INTEGER,
    created_at      INTEGER NOT NULL,
    owner           TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    place           TEXT    NOT NULL,
    filename        TEXT    NOT NULL,
    content_type    TEXT,
    metadata        BLOB    NOT NULL,
    declared        BLOB    NOT NULL,
    fingerprint     TEXT,
    idempotency_key TEXT,
    -- The receipt, once the phase is sealed.
    sealed_bytes    INTEGER,
    sealed_parts    INTEGER,
    sealed_crc64    INTEGER,
    sealed_voucher  TEXT,
    sealed_verified BLOB,
    sealed_location TEXT,
    sealed_version  TEXT,
    sealed_at       INTEGER
) STRICT;

CREATE UNIQUE INDEX uploads_by_idempotency_key ON uploads (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX uploads_by_fingerprint ON uploads (owner, fingerprint, created_at, id)
    WHERE fingerprint IS NOT NULL AND phase IN ('open', 'disputed');

-- Lists are newest first within a phase and are merged over the phases wanted.
CREATE INDEX uploads_by_phase ON uploads (phase, created_at, id);
CREATE INDEX uploads_by_owner ON uploads (owner, phase, created_at, id);
CREATE INDEX uploads_by_key ON uploads (key, phase, created_at, id);

-- What the janitor asks for.
CREATE INDEX uploads_unfinished ON uploads (expires_at) WHERE phase IN ('open', 'disputed');
CREATE INDEX uploads_uncleared ON uploads (seq)
    WHERE is_cleared = 0 AND phase IN ('sealed', 'cancelled', 'expired');
CREATE INDEX uploads_forgettable ON uploads (expires_at)
    WHERE is_cleared = 1 AND phase IN ('cancelled', 'expired');

CREATE TABLE parts (
    upload     INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    crc64      INTEGER NOT NULL,
    landed_at  INTEGER NOT NULL,
    mark       TEXT    NOT NULL,
    digests    BLOB    NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
