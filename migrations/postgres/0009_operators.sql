-- What a deployment's operator may do: suspend an organisation, or a person, and take it back. The same columns as in
-- ../0009_operators.sql.

ALTER TABLE orgs ADD COLUMN suspended_at timestamptz;
ALTER TABLE users ADD COLUMN suspended_at timestamptz;
ALTER TABLE api_keys ADD COLUMN org_suspended_at timestamptz;
ALTER TABLE api_keys ADD COLUMN person_suspended_at timestamptz;
CREATE INDEX api_keys_by_person ON api_keys (user_id, org_id) WHERE user_id IS NOT NULL;

-- A person's keys, wherever they are: also in organisations that it has left.
CREATE POLICY operator_reads ON api_keys FOR SELECT
  USING (user_id IS NOT NULL AND current_setting('headgate.every_org', true) = 'api_keys');
-- A way in is stored under the hash of the deployment's secret of now, when it is used.
GRANT UPDATE ON logins TO headgate_app;
