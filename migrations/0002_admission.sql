-- Limits and budgets: the rules by which the gate admits requests. Ids are UUIDv7, money is nano-dollars (10⁻⁹ USD).

ALTER TABLE orgs ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64);

ALTER TABLE model_prices ADD COLUMN per_request_nano_usd INTEGER CHECK (per_request_nano_usd >= 0);
CREATE INDEX model_prices_by_org ON model_prices (org_id, id);

-- Whom a rule is about: one of a type, or each of them ('*'), and perhaps only their calls of one model.
CREATE TABLE limits (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  scope_type TEXT NOT NULL CHECK (scope_type IN ('org', 'team', 'user', 'key', 'model', 'end_user')),
  scope_id TEXT NOT NULL CHECK (length(scope_id) BETWEEN 1 AND 256),
  scope_model TEXT CHECK (length(scope_model) BETWEEN 1 AND 256),
  unit TEXT NOT NULL CHECK (unit IN ('requests', 'tokens', 'concurrent')),
  amount INTEGER NOT NULL CHECK (amount >= 1),
  window_seconds INTEGER CHECK (window_seconds BETWEEN 1 AND 2592000),
  burst INTEGER,
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  CHECK (scope_type <> 'org' OR scope_id = org_id),
  CHECK (scope_type <> 'model' OR scope_model IS NULL),
  CHECK ((unit = 'concurrent') = (window_seconds IS NULL)),
  CHECK (burst IS NULL OR (burst >= 1 AND burst <= amount * 10 AND unit <> 'concurrent'))
) STRICT;
CREATE INDEX limits_by_org ON limits (org_id, id);

CREATE TABLE budgets (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  scope_type TEXT NOT NULL CHECK (scope_type IN ('org', 'team', 'user', 'key', 'model', 'end_user')),
  scope_id TEXT NOT NULL CHECK (length(scope_id) BETWEEN 1 AND 256),
  scope_model TEXT CHECK (length(scope_model) BETWEEN 1 AND 256),
  spend_window TEXT NOT NULL CHECK (
    spend_window IN ('total', 'day', 'week', 'month') OR substr(spend_window, 1, 8) = 'rolling:'
  ),
  limit_nano_usd INTEGER NOT NULL CHECK (limit_nano_usd >= 0),
  mode TEXT NOT NULL CHECK (mode IN ('hard', 'soft')),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  CHECK (scope_type <> 'org' OR scope_id = org_id),
  CHECK (scope_type <> 'model' OR scope_model IS NULL)
) STRICT;
CREATE INDEX budgets_by_org ON budgets (org_id, id);
