-- The way back from 0009_operators.sql. Who was suspended no longer is.

REVOKE UPDATE ON logins FROM headgate_app;
DROP POLICY operator_reads ON api_keys;
DROP INDEX api_keys_by_person;
ALTER TABLE api_keys DROP COLUMN person_suspended_at;
ALTER TABLE api_keys DROP COLUMN org_suspended_at;
ALTER TABLE users DROP COLUMN suspended_at;
ALTER TABLE orgs DROP COLUMN suspended_at;
