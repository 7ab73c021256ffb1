-- Whether a team's rule counts the keys that belong to it alone, or also what its members do that have signed in.

ALTER TABLE limits ADD COLUMN covers TEXT NOT NULL DEFAULT 'keys' CHECK (covers IN ('keys', 'members'));
ALTER TABLE budgets ADD COLUMN covers TEXT NOT NULL DEFAULT 'keys' CHECK (covers IN ('keys', 'members'));
