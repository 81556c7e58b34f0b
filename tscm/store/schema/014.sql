-- User lists: named sets of entries, each edit a version.  The entries that operators make by hand with `block` and
-- `allow` are the two first of them.
CREATE TABLE user_lists (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    side TEXT NOT NULL CHECK (side IN ('block', 'allow')),
    note TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO user_lists (id, name, side, note) VALUES
    (1, 'block-by-hand', 'block', 'entries of tsadmin block'),
    (2, 'allow-by-hand', 'allow', 'entries of tsadmin allow');

CREATE TABLE user_list_versions (
    list INTEGER NOT NULL REFERENCES user_lists (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    did TEXT NOT NULL,
    reason TEXT NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (list, version)
) STRICT, WITHOUT ROWID;

-- An entry is in the versions from added_in up to removed_in, the latter not included.  A row of a version above that
-- of its list belongs to an edit that has not ended.  first, last: the ends, after a 4 or 6 for the family, so that
-- they sort.  Entries by hand have no versions: of them ended_at and ended say when and how one ended, device where
-- alone it stands (NULL: everywhere); their ends are not kept, for they are few.
CREATE TABLE user_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list INTEGER NOT NULL REFERENCES user_lists (id) ON DELETE CASCADE,
    network TEXT NOT NULL,
    first BLOB,
    last BLOB,
    device TEXT,
    reason TEXT NOT NULL,
    who TEXT NOT NULL,
    made_at REAL NOT NULL,
    until REAL,
    ended_at REAL,
    ended TEXT NOT NULL DEFAULT '',
    added_in INTEGER NOT NULL DEFAULT 0,
    removed_in INTEGER
) STRICT;

-- Numbers go on where those of the entries by hand were: no number comes twice.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'user_entries', seq FROM sqlite_sequence WHERE name = 'by_hand';
INSERT INTO user_entries (id, list, network, device, reason, who, made_at, until, ended_at, ended)
    SELECT id, CASE action WHEN 'block' THEN 1 ELSE 2 END, cidr, device, reason, who, made_at, until, ended_at, ended
    FROM by_hand;
DROP TABLE by_hand;

CREATE INDEX user_entries_by_network ON user_entries (list, network);
CREATE INDEX user_entries_by_first ON user_entries (list, first);
CREATE INDEX user_entries_ranges ON user_entries (list, first) WHERE instr(network, '-') > 0;
CREATE INDEX user_entries_removed ON user_entries (list, removed_in) WHERE removed_in IS NOT NULL;
CREATE INDEX user_entries_of_device ON user_entries (device) WHERE device IS NOT NULL;
