-- Organisations, people, keys, models with their prices, and what was used.
-- Times are UTC, text, `YYYY-MM-DDTHH:MM:SS.ffffffZ`: they sort as they read. Ids are UUIDv7.

CREATE TABLE orgs (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE users (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  email TEXT NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  password_hash TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE memberships (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'billing')),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  created_by_key_id TEXT REFERENCES api_keys (id) ON DELETE SET NULL,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  prefix TEXT NOT NULL CHECK (length(prefix) = 11),
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  expires_at TEXT,
  revoked_at TEXT,
  replaced_by_key_id TEXT REFERENCES api_keys (id) ON DELETE SET NULL,
  last_used_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);

-- A price is never changed: a new one is a new row, and a usage record names the version it was charged by.
CREATE TABLE model_prices (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  input_nano_usd_per_token INTEGER NOT NULL CHECK (input_nano_usd_per_token >= 0),
  output_nano_usd_per_token INTEGER NOT NULL CHECK (output_nano_usd_per_token >= 0),
  cached_input_nano_usd_per_token INTEGER CHECK (cached_input_nano_usd_per_token >= 0),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE models (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
  provider TEXT NOT NULL CHECK (length(provider) BETWEEN 1 AND 32),
  upstream_model TEXT NOT NULL CHECK (length(upstream_model) BETWEEN 1 AND 256),
  price_id TEXT REFERENCES model_prices (id),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, id)
) STRICT, WITHOUT ROWID;

-- One row a request to a model. The id is the gate's: writing a row twice is harmless.
CREATE TABLE usage_records (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  key_id TEXT NOT NULL REFERENCES api_keys (id),
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  upstream_model TEXT NOT NULL,
  streamed INTEGER NOT NULL CHECK (streamed IN (0, 1)),
  cause TEXT NOT NULL CHECK (cause IN (
    'finished', 'client_gone_before_first_byte', 'client_gone_mid_stream', 'client_gone_non_streaming',
    'upstream_refused', 'upstream_unreachable', 'upstream_timeout', 'upstream_broke_off', 'lost'
  )),
  status INTEGER CHECK (status BETWEEN 100 AND 599),
  estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
  input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
  cached_input_tokens INTEGER NOT NULL CHECK (cached_input_tokens >= 0),
  output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
  reasoning_tokens INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
  cost_nano_usd INTEGER CHECK (cost_nano_usd >= 0),
  price_version TEXT,
  first_byte_ms INTEGER CHECK (first_byte_ms >= 0),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  started_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX usage_records_by_time ON usage_records (org_id, started_at);
CREATE INDEX usage_records_by_key ON usage_records (org_id, key_id, started_at);

-- Answers to POSTs that carried an Idempotency-Key. Only hashes of that key are here, and the answer is encrypted under
-- it, since an answer may hold a new secret.
CREATE TABLE idempotent_answers (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  key_hash TEXT NOT NULL CHECK (length(key_hash) = 64),
  request_hash TEXT NOT NULL CHECK (length(request_hash) = 64),
  answer TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at);
