-- What is known of names that a device's block list must not reach: addresses with the time when each was
-- last seen, as JSON, and since when the name cannot be looked up.
CREATE TABLE names (
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    resolved_at REAL,
    failing_since REAL,
    addresses TEXT NOT NULL,
    PRIMARY KEY (device, name)
) STRICT;
