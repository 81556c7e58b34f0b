-- Entries that operators made by hand, for one device or (NULL) for all.  until: when it ends by itself.  An entry
-- that ended stays until no device holds it any more.
CREATE TABLE by_hand (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL CHECK (action IN ('block', 'allow')),
    cidr TEXT NOT NULL,
    device TEXT,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    made_at REAL NOT NULL,
    until REAL,
    ended_at REAL,
    ended TEXT NOT NULL DEFAULT ''
) STRICT;

-- Of a generation that holds entries by hand: what came from the lists alone, and how much that is.  What is
-- compared with later runs, and what stays when the entries by hand end.
ALTER TABLE generations ADD COLUMN lists_block BLOB;
ALTER TABLE generations ADD COLUMN lists_allow BLOB;
ALTER TABLE generations ADD COLUMN lists_block_entries INTEGER;
ALTER TABLE generations ADD COLUMN lists_allow_entries INTEGER;
