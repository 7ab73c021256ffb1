-- Limits and budgets: the rules by which the gate admits requests. The same tables as in ../0002_admission.sql, column for
-- column. Ids are UUIDv7, money is nano-dollars (10⁻⁹ USD).

-- The tables of these three are small and seldom written, so they are changed in one go, under a lock.
ALTER TABLE orgs
  ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64);

ALTER TABLE model_prices ADD COLUMN per_request_nano_usd bigint CHECK (per_request_nano_usd >= 0);
CREATE INDEX model_prices_by_org ON model_prices (org_id, id);

-- Whom a rule is about: one of a type, or each of them ('*'), and perhaps only their calls of one model.
CREATE TABLE limits (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  scope_type text COLLATE "C" NOT NULL CHECK (scope_type IN ('org', 'team', 'user', 'key', 'model', 'end_user')),
  scope_id text COLLATE "C" NOT NULL CHECK (length(scope_id) BETWEEN 1 AND 256),
  scope_model text COLLATE "C" CHECK (length(scope_model) BETWEEN 1 AND 256),
  unit text COLLATE "C" NOT NULL CHECK (unit IN ('requests', 'tokens', 'concurrent')),
  amount bigint NOT NULL CHECK (amount >= 1),
  window_seconds bigint CHECK (window_seconds BETWEEN 1 AND 2592000),
  burst bigint,
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CHECK (scope_type <> 'org' OR scope_id = org_id),
  CHECK (scope_type <> 'model' OR scope_model IS NULL),
  CHECK ((unit = 'concurrent') = (window_seconds IS NULL)),
  CHECK (burst IS NULL OR (burst >= 1 AND burst <= amount * 10 AND unit <> 'concurrent'))
);
CREATE INDEX limits_by_org ON limits (org_id, id);

CREATE TABLE budgets (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  scope_type text COLLATE "C" NOT NULL CHECK (scope_type IN ('org', 'team', 'user', 'key', 'model', 'end_user')),
  scope_id text COLLATE "C" NOT NULL CHECK (length(scope_id) BETWEEN 1 AND 256),
  scope_model text COLLATE "C" CHECK (length(scope_model) BETWEEN 1 AND 256),
  spend_window text COLLATE "C" NOT NULL CHECK (
    spend_window IN ('total', 'day', 'week', 'month') OR substr(spend_window, 1, 8) = 'rolling:'
  ),
  limit_nano_usd bigint NOT NULL CHECK (limit_nano_usd >= 0),
  mode text COLLATE "C" NOT NULL CHECK (mode IN ('hard', 'soft')),
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CHECK (scope_type <> 'org' OR scope_id = org_id),
  CHECK (scope_type <> 'model' OR scope_model IS NULL)
);
CREATE INDEX budgets_by_org ON budgets (org_id, id);

-- Row level security: see 0001_initial.sql.
ALTER TABLE limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON limits
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON budgets
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));

GRANT SELECT, INSERT, UPDATE, DELETE ON limits TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON budgets TO headgate_app;
