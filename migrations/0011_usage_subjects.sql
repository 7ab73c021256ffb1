-- Sums of days know of whose calls they are: by provider, team, person and end user. Empty where a call had none, or where
-- the records were gone when this came. Of all other days the sums are made anew from the records.

CREATE TABLE new_usage_days (
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
  provider TEXT NOT NULL DEFAULT '',
  team_id TEXT NOT NULL DEFAULT '',
  user_id TEXT NOT NULL DEFAULT '',
  end_user TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (org_id, day, model, key_id, provider, team_id, user_id, end_user)
) STRICT, WITHOUT ROWID;
INSERT INTO new_usage_days (org_id, day, model, key_id, requests, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, cost_nano_usd, estimated_requests, unpriced_requests, created_at, updated_at)
  SELECT org_id, day, model, key_id, requests, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
    cost_nano_usd, estimated_requests, unpriced_requests, created_at, updated_at FROM usage_days;
DROP TABLE usage_days;
ALTER TABLE new_usage_days RENAME TO usage_days;
UPDATE usage_marks SET summed_until = pruned_until;
