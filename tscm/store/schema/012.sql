-- Up to which entry the audit was carried to the log from which SIEM targets are sent it; no row: it is carried nowhere.
CREATE TABLE audit_carried (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
