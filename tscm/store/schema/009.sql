-- Who did what, when, and with what outcome: the audit.  `arguments` is JSON with secrets masked.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    actor TEXT NOT NULL,
    uid INTEGER,
    on_behalf_of TEXT,
    operation TEXT NOT NULL,
    device TEXT,
    arguments TEXT NOT NULL,
    outcome TEXT NOT NULL,
    sentence TEXT,
    seconds REAL NOT NULL
) STRICT;

CREATE INDEX audit_of_device ON audit (device, id);
CREATE INDEX audit_by_time ON audit (at);
