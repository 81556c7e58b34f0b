-- unread: lines of the policy's messages whose two ends cannot be read, so that no report has them.
ALTER TABLE event_readers ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
-- First hits of flows (106100) that an interval line may still count once more: all of them, and behind it what each
-- block of the log changed, in the transaction that moves the reader.  flows: in the order of the log, with an LF
-- between; times: when each one's first hit was received, -1 where an interval line came (little-endian doubles).
CREATE TABLE first_hits (
    number INTEGER PRIMARY KEY,
    device INTEGER NOT NULL,
    flows BLOB NOT NULL,
    times BLOB NOT NULL
) STRICT;
CREATE INDEX first_hits_by_device ON first_hits (device);
