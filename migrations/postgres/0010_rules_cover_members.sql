-- Whether a team's rule counts the keys that belong to it alone, or also what its members do that have signed in. The same
-- columns as in ../0010_rules_cover_members.sql.

ALTER TABLE limits ADD COLUMN covers text COLLATE "C" NOT NULL DEFAULT 'keys' CHECK (covers IN ('keys', 'members'));
ALTER TABLE budgets ADD COLUMN covers text COLLATE "C" NOT NULL DEFAULT 'keys' CHECK (covers IN ('keys', 'members'));
