-- What lets work and questions cost what they find, and not what there is.

-- What was done to one thing, and what was refused or went wrong: the latter are few.
CREATE INDEX audit_events_by_target ON audit_events (org_id, target, seq) WHERE target IS NOT NULL;
CREATE INDEX audit_events_by_failure ON audit_events (org_id, result, seq) WHERE result <> 'ok';

-- Where the work on an organisation's records is to begin: its first record that is not summed, and its first record of
-- all; null where there is none. The job visits only those that have something to do. Of the day `summed_until`, records
-- before `piece_ends_at` are in usage_days already, and nobody reads them there yet.
ALTER TABLE usage_marks ADD COLUMN piece_ends_at TEXT;
ALTER TABLE usage_marks ADD COLUMN unsummed_at TEXT;
ALTER TABLE usage_marks ADD COLUMN oldest_at TEXT;
CREATE INDEX usage_marks_to_sum ON usage_marks (unsummed_at, org_id) WHERE unsummed_at IS NOT NULL;
CREATE INDEX usage_marks_to_prune ON usage_marks (oldest_at, org_id) WHERE oldest_at IS NOT NULL;

-- Nobody knows yet who has records: the next run looks at each organisation once.
INSERT INTO usage_marks (org_id, summed_until, pruned_until, created_at, updated_at)
  SELECT orgs.id, '1970-01-01', '1970-01-01', orgs.created_at, orgs.created_at FROM orgs
  WHERE NOT EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = orgs.id);
UPDATE usage_marks SET unsummed_at = '1970-01-01T00:00:00.000000Z', oldest_at = '1970-01-01T00:00:00.000000Z';

-- A report on one key, and one that is broken down by key.
CREATE INDEX usage_days_by_key ON usage_days (org_id, key_id, day);
