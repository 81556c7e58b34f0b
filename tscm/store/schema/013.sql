-- Who pulled which generation of a device's lists: the first and the last time, and how often.
CREATE TABLE pulls (
    device TEXT NOT NULL,
    peer TEXT NOT NULL,
    file TEXT NOT NULL,
    generation INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (device, peer, file, generation)
) STRICT;
