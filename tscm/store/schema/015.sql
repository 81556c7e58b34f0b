-- Targets, bundles and policies of the portal, each a document with a version; and what of a policy is published.
CREATE TABLE portal_items (
    kind TEXT NOT NULL CHECK (kind IN ('target', 'bundle', 'policy', 'published', 'switch')),
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- A site with one policy sees this one: its own two lists, and every target that is turned on.
INSERT INTO user_lists (name, side, note, version) VALUES
    ('own-block', 'block', 'blocked by the policy default', 1),
    ('own-allow', 'allow', 'permitted by the policy default', 1);
INSERT INTO user_list_versions (list, version, at, who, did, reason, added, removed, entries)
    SELECT id, 1, 0, 'tscm', 'created', '', 0, 0, 0 FROM user_lists WHERE name IN ('own-block', 'own-allow');
INSERT INTO portal_items (kind, name, content, version, at, who) VALUES
    ('policy', 'default', '{"title": "Default", "block": ["bundle:all-on", "list:own-block"], "allow": ["list:own-allow"], "block_name": "block.default.tscm.internal", "allow_name": "allow.default.tscm.internal"}', 1, 0, 'tscm');
