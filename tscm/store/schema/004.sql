-- What this installation is called on devices, so that two managers with the same settings are told apart.
CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL
) STRICT;
