-- What policy updates need to remember.

-- The last good generation of each list, by the name under which a device asks for it.
CREATE TABLE lists (
    device TEXT NOT NULL,
    list TEXT NOT NULL,
    serial INTEGER,
    fetched_at REAL NOT NULL,
    source TEXT NOT NULL,
    entries INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (device, list)
) STRICT;

-- What a device was made to hold, newest last; `number` grows per device and is never used again.
CREATE TABLE generations (
    device TEXT NOT NULL,
    number INTEGER NOT NULL,
    applied_at REAL NOT NULL,
    note TEXT NOT NULL,
    block_entries INTEGER NOT NULL,
    allow_entries INTEGER NOT NULL,
    block_serial INTEGER,
    allow_serial INTEGER,
    block BLOB NOT NULL,
    allow BLOB NOT NULL,
    PRIMARY KEY (device, number)
) STRICT;

-- How each update went, as JSON.
CREATE TABLE updates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL,
    started_at REAL NOT NULL,
    finished_at REAL NOT NULL,
    result TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;

CREATE INDEX updates_of_device ON updates (device, id);

-- What is known of a device between two updates, as JSON: what its driver learnt, its state, pauses.
CREATE TABLE devices (
    device TEXT PRIMARY KEY,
    memory TEXT NOT NULL
) STRICT;
