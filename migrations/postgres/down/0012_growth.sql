-- The way back from 0012_growth.sql. A day whose sum is not whole is summed anew.

DROP POLICY jobs_read ON usage_marks;
DROP INDEX usage_days_by_key;
DROP INDEX usage_marks_to_prune;
DROP INDEX usage_marks_to_sum;
ALTER TABLE usage_marks DROP COLUMN oldest_at;
ALTER TABLE usage_marks DROP COLUMN unsummed_at;
ALTER TABLE usage_marks DROP COLUMN piece_ends_at;
DROP INDEX audit_events_by_failure;
DROP INDEX audit_events_by_target;
