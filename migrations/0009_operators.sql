-- What a deployment's operator may do: suspend an organisation, or a person, and take it back. A key has both of its
-- organisation and of its person, so that who calls with it is told in the one look at its row.

ALTER TABLE orgs ADD COLUMN suspended_at TEXT;
ALTER TABLE users ADD COLUMN suspended_at TEXT;
ALTER TABLE api_keys ADD COLUMN org_suspended_at TEXT;
ALTER TABLE api_keys ADD COLUMN person_suspended_at TEXT;
CREATE INDEX api_keys_by_person ON api_keys (user_id, org_id) WHERE user_id IS NOT NULL;
