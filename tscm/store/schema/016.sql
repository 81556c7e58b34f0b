-- Whose a permanent id is: asked for each device at a start, of thousands.
CREATE INDEX entries_by_entry ON entries (entry);
