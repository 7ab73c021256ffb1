-- What a deployment's operator may do: suspend an organisation, or a person, and take it back. The same columns as in
-- ../0009_operators.sql.

ALTER TABLE orgs ADD COLUMN suspended_at timestamptz;
ALTER TABLE users ADD COLUMN suspended_at timestamptz;
ALTER TABLE api_keys ADD COLUMN org_suspended_at timestamptz;
ALTER TABLE api_keys ADD COLUMN person_suspended_at timestamptz;

-- A way in is stored under the hash of the deployment's secret of now, when it is used.
GRANT UPDATE ON logins TO headgate_app;
