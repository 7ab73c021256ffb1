-- The ledger: whom a call was for, sums by day, how far they reach, and what is added to a budget for a while.
-- The same tables as in ../0003_ledger.sql, column for column. Days are UTC, text, `YYYY-MM-DD`.

ALTER TABLE orgs ADD COLUMN version bigint NOT NULL DEFAULT 1 CHECK (version >= 1);

-- The rest of the path that a call came along; its organisation, key and model are there already.
ALTER TABLE usage_records ADD COLUMN team_id text COLLATE "C" CHECK (length(team_id) = 36);
ALTER TABLE usage_records ADD COLUMN user_id text COLLATE "C" CHECK (length(user_id) = 36);
ALTER TABLE usage_records ADD COLUMN end_user text COLLATE "C" CHECK (length(end_user) BETWEEN 1 AND 256);
-- A ledger is read by time and id; the old index lacks the id.
DROP INDEX usage_records_by_time;
CREATE INDEX usage_records_by_time ON usage_records (org_id, started_at, id);

-- The sums of whole days. They stay when single records are exported and deleted.
CREATE TABLE usage_days (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  day text COLLATE "C" NOT NULL CHECK (length(day) = 10),
  model text COLLATE "C" NOT NULL,
  key_id text COLLATE "C" NOT NULL REFERENCES api_keys (id),
  requests bigint NOT NULL CHECK (requests >= 1),
  input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
  cached_input_tokens bigint NOT NULL CHECK (cached_input_tokens >= 0),
  output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
  reasoning_tokens bigint NOT NULL CHECK (reasoning_tokens >= 0),
  cost_nano_usd bigint NOT NULL CHECK (cost_nano_usd >= 0),
  estimated_requests bigint NOT NULL CHECK (estimated_requests >= 0),
  unpriced_requests bigint NOT NULL CHECK (unpriced_requests >= 0),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, day, model, key_id)
);

-- How far the work on an organisation's records has come: all days before `summed_until` are in usage_days, and of those
-- before `pruned_until` single records may be gone, so they are never summed anew.
CREATE TABLE usage_marks (
  org_id text COLLATE "C" PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
  summed_until text COLLATE "C" NOT NULL CHECK (length(summed_until) = 10),
  pruned_until text COLLATE "C" NOT NULL CHECK (length(pruned_until) = 10 AND pruned_until <= summed_until),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

-- A top-up is added to a budget's amount, an override takes its place; each until it expires, if it ever does.
CREATE TABLE budget_adjustments (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  budget_id text COLLATE "C" NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('top_up', 'override')),
  amount_nano_usd bigint NOT NULL CHECK (amount_nano_usd >= 0),
  note text COLLATE "C" CHECK (length(note) BETWEEN 1 AND 200),
  expires_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX budget_adjustments_by_budget ON budget_adjustments (org_id, budget_id, id);

-- Row level security: see 0001_initial.sql.
ALTER TABLE usage_days ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_marks ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_adjustments ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON usage_days
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON usage_marks
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON budget_adjustments
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));

-- The daily work goes from organisation to organisation, so it must know which there are. What it does to one's rows it
-- does as that organisation.
CREATE POLICY jobs_read ON orgs FOR SELECT USING (current_setting('headgate.every_org', true) = 'orgs');

GRANT UPDATE ON orgs TO headgate_app;
GRANT DELETE ON usage_records TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_days TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON usage_marks TO headgate_app;
GRANT SELECT, INSERT, DELETE ON budget_adjustments TO headgate_app;
