-- The way back from 0011_usage_subjects.sql. Of whose calls the sums are is lost.

CREATE TABLE old_usage_days (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  day TEXT NOT NULL CHECK (length(day) = 10),
  model TEXT NOT NULL,
  key_id TEXT NOT NULL REFERENCES api_keys (id),
  requests INTEGER NOT NULL CHECK (requests >= 1),
  input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
  cached_input_tokens INTEGER NOT NULL CHECK (cached_input_tokens >= 0),
  output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
  reasoning_tokens INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
  cost_nano_usd INTEGER NOT NULL CHECK (cost_nano_usd >= 0),
  estimated_requests INTEGER NOT NULL CHECK (estimated_requests >= 0),
  unpriced_requests INTEGER NOT NULL CHECK (unpriced_requests >= 0),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, day, model, key_id)
) STRICT, WITHOUT ROWID;
INSERT INTO old_usage_days
  SELECT org_id, day, model, key_id, sum(requests), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens),
    sum(reasoning_tokens), sum(cost_nano_usd), sum(estimated_requests), sum(unpriced_requests), min(created_at),
    max(updated_at) FROM usage_days GROUP BY org_id, day, model, key_id;
DROP TABLE usage_days;
ALTER TABLE old_usage_days RENAME TO usage_days;
