-- What a list held besides its entries (refused entries, counts), so that an unchanged list is shown as
-- fully as a fetched one.
ALTER TABLE lists ADD COLUMN besides TEXT NOT NULL DEFAULT '{}';
