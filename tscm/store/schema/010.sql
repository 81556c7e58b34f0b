-- The permanent id of each device's entry, by nickname: it tells a new device from an old one of that name, and
-- whose the groups on a firewall are.
CREATE TABLE entries (
    device TEXT PRIMARY KEY,
    entry TEXT NOT NULL
) STRICT;
