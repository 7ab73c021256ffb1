-- The ledger: whom a call was for, sums by day, how far they reach, and what is added to a budget for a while.
-- Days are UTC, text, `YYYY-MM-DD`. Money is nano-dollars (10⁻⁹ USD).

ALTER TABLE orgs ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);

-- The rest of the path that a call came along; its organisation, key and model are there already.
ALTER TABLE usage_records ADD COLUMN team_id TEXT CHECK (length(team_id) = 36);
ALTER TABLE usage_records ADD COLUMN user_id TEXT CHECK (length(user_id) = 36);
ALTER TABLE usage_records ADD COLUMN end_user TEXT CHECK (length(end_user) BETWEEN 1 AND 256);
-- A ledger is read by time and id; the old index lacks the id.
DROP INDEX usage_records_by_time;
CREATE INDEX usage_records_by_time ON usage_records (org_id, started_at, id);

-- The sums of whole days. They stay when single records are exported and deleted.
CREATE TABLE usage_days (
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

-- How far the work on an organisation's records has come: all days before `summed_until` are in usage_days, and of those
-- before `pruned_until` single records may be gone, so they are never summed anew.
CREATE TABLE usage_marks (
  org_id TEXT PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
  summed_until TEXT NOT NULL CHECK (length(summed_until) = 10),
  pruned_until TEXT NOT NULL CHECK (length(pruned_until) = 10 AND pruned_until <= summed_until),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A top-up is added to a budget's amount, an override takes its place; each until it expires, if it ever does.
CREATE TABLE budget_adjustments (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  budget_id TEXT NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('top_up', 'override')),
  amount_nano_usd INTEGER NOT NULL CHECK (amount_nano_usd >= 0),
  note TEXT CHECK (length(note) BETWEEN 1 AND 200),
  expires_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX budget_adjustments_by_budget ON budget_adjustments (org_id, budget_id, id);
