-- Parts that clients carry to the store themselves: their CRC may not be known, and the store vouches for them.
CREATE TABLE parts_new (
    upload     INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    crc64      INTEGER,
    landed_at  INTEGER NOT NULL,
    mark       TEXT    NOT NULL,
    digests    BLOB    NOT NULL,
    is_direct  INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
INSERT INTO parts_new SELECT upload, number, size_bytes, crc64, landed_at, mark, digests, 0 FROM parts;
DROP TABLE parts;
ALTER TABLE parts_new RENAME TO parts;

-- How S3 names the content of a sealed upload.
ALTER TABLE uploads ADD COLUMN sealed_tag TEXT;
