-- What the lists did: roll-ups of the policy's lines, and how far the reader of each log is.

-- Texts that roll-ups share: devices, lists, entries, addresses, protocols.
CREATE TABLE words (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- action: 0 blocked, 1 allowed; direction: 0 inbound, 1 outbound; port -1: none; hour: POSIX seconds / 3600.
CREATE TABLE hits (
    device INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    action INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    list INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    inside INTEGER NOT NULL,
    outside INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    port INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (device, hour, action, direction, list, entry, inside, outside, protocol, port)
) STRICT, WITHOUT ROWID;

-- The same by day, once for either end, so that a report over weeks does not read every row of `hits`.
CREATE TABLE daily (
    device INTEGER NOT NULL,
    day INTEGER NOT NULL,
    action INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    list INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    outside INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (device, day, action, direction, list, entry, outside)
) STRICT, WITHOUT ROWID;

CREATE INDEX daily_by_entry ON daily (device, entry);
CREATE INDEX daily_by_outside ON daily (device, outside);

CREATE TABLE daily_inside (
    device INTEGER NOT NULL,
    day INTEGER NOT NULL,
    action INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    list INTEGER NOT NULL,
    inside INTEGER NOT NULL,
    protocol INTEGER NOT NULL,
    port INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (device, day, action, direction, list, inside, protocol, port)
) STRICT, WITHOUT ROWID;

-- The same by hour and list alone.
CREATE TABLE hourly (
    device INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    action INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    list INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (device, hour, action, direction, list)
) STRICT, WITHOUT ROWID;

-- Written in the transaction of the roll-ups: whatever happens, a line is counted once.
-- others: policy lines that no entry explains; low: lines that say that counts are low (106101).
CREATE TABLE event_readers (
    device INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    others INTEGER NOT NULL,
    low INTEGER NOT NULL
) STRICT;
