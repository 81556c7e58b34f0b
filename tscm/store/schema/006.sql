-- For each day of a device the generation with most block entries that was in force on it: what is about
-- to go into force is compared with the largest of the last days too, so that many small losses are seen.
CREATE TABLE largest (
    device TEXT NOT NULL,
    day INTEGER NOT NULL,
    applied_at REAL NOT NULL,
    block_entries INTEGER NOT NULL,
    allow_entries INTEGER NOT NULL,
    block BLOB NOT NULL,
    allow BLOB NOT NULL,
    PRIMARY KEY (device, day)
) STRICT;
