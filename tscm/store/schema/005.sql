-- Roll-ups of hours that are over, a day of a device in columns: a report reads only those that it asks about.

-- `hits` keeps what is not packed yet; what is packed is not in it, and every total is the sum of both.
-- name: a column of `hits`, or `sums`.  kinds: the distinct values, rising, as little-endian int64; for
-- `sums` first the lines, then the hits of each distinct pair.  codes: for each row the place of its value
-- among the kinds, in one, two or four bytes as their number needs; empty where there is only one kind.
-- `brief ...`: the day once more, by action, list, entry and outside alone, with first and last hour.
CREATE TABLE packs (
    device INTEGER NOT NULL,
    day INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    kinds BLOB NOT NULL,
    codes BLOB NOT NULL,
    PRIMARY KEY (device, day, name)
) STRICT;

-- Counted for the sake of reports alone; all of it is in `hits`.
DROP TABLE daily;
DROP TABLE daily_inside;
DROP TABLE hourly;
