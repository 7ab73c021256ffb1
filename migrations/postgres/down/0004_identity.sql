-- The way back from 0004_identity.sql. Sessions, tokens, roles, teams, invitations and both logs are lost. Policies and
-- grants on those tables go with them.

DROP TABLE person_events;
DROP TABLE audit_events;
DROP TABLE signing_keys;
DROP TABLE logins;
DROP TABLE recovery_codes;
DROP TABLE mail_tokens;
DROP TABLE revoked_tokens;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE invitations;
DROP POLICY clearing_reads ON api_keys;
DROP INDEX api_keys_ending;
DROP INDEX api_keys_minted;
DROP INDEX api_keys_by_kind;
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);
DROP INDEX api_keys_by_user;
ALTER TABLE api_keys DROP COLUMN leaked_at;
ALTER TABLE api_keys DROP COLUMN end_user;
ALTER TABLE api_keys DROP COLUMN origins;
ALTER TABLE api_keys DROP COLUMN ip_ranges;
ALTER TABLE api_keys DROP COLUMN models;
ALTER TABLE api_keys DROP COLUMN team_id;
ALTER TABLE api_keys DROP COLUMN user_id;
ALTER TABLE api_keys DROP COLUMN kind;
DROP POLICY fellow_members ON users;
DROP POLICY own_person ON memberships;
DROP INDEX memberships_by_custom_role;
ALTER TABLE memberships DROP COLUMN version;
ALTER TABLE memberships DROP COLUMN custom_role_id;
DROP TABLE team_members;
DROP TABLE teams;
DROP TABLE roles;
ALTER TABLE users DROP COLUMN deleted_at;
ALTER TABLE users DROP COLUMN signed_out_at;
ALTER TABLE users DROP COLUMN totp_step;
ALTER TABLE users DROP COLUMN totp_confirmed_at;
ALTER TABLE users DROP COLUMN totp_sealed;
ALTER TABLE users DROP COLUMN email_verified_at;
ALTER TABLE users DROP COLUMN version;

DROP POLICY own_person ON users;
DROP POLICY presented_email ON users;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;
REVOKE INSERT ON orgs FROM headgate_app;
REVOKE ALL ON users FROM headgate_app;
REVOKE ALL ON memberships FROM headgate_app;
