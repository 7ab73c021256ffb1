-- The way back from 0003_ledger.sql. Sums of days, adjustments of budgets, and whom calls were for are lost. Policies and
-- grants on those tables go with them.

DROP TABLE budget_adjustments;
DROP TABLE usage_marks;
DROP TABLE usage_days;
DROP INDEX usage_records_by_time;
CREATE INDEX usage_records_by_time ON usage_records (org_id, started_at);
ALTER TABLE usage_records DROP COLUMN end_user;
ALTER TABLE usage_records DROP COLUMN user_id;
ALTER TABLE usage_records DROP COLUMN team_id;
ALTER TABLE orgs DROP COLUMN version;

DROP POLICY jobs_read ON orgs;
REVOKE UPDATE ON orgs FROM headgate_app;
REVOKE DELETE ON usage_records FROM headgate_app;
