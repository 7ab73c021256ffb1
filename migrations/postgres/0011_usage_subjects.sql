-- Sums of days know of whose calls they are. The same columns as in ../0011_usage_subjects.sql.

ALTER TABLE usage_days ADD COLUMN provider text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE usage_days ADD COLUMN team_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE usage_days ADD COLUMN user_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE usage_days ADD COLUMN end_user text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE usage_days DROP CONSTRAINT usage_days_pkey;
ALTER TABLE usage_days ADD PRIMARY KEY (org_id, day, model, key_id, provider, team_id, user_id, end_user);
UPDATE usage_marks SET summed_until = pruned_until;
