-- Organisations, people, keys, models with their prices, and what was used. The same tables as in ../0001_initial.sql,
-- column for column. Ids are UUIDv7.
--
-- Text has the collation "C": it sorts and compares by code point, as SQLite does, whatever the server's language.

-- The application's rights. It has no login: the role that the Worker connects as is made a member of it, and owns
-- nothing. It belongs to the whole server, so another database may have made it already, or be making it now.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'headgate_app') THEN
    CREATE ROLE headgate_app NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'headgate_app' AND (rolsuper OR rolbypassrls)) THEN
    RAISE EXCEPTION 'the role headgate_app may bypass row level security: take that from it first';
  END IF;
END
$$;

CREATE TABLE orgs (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE users (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  email text COLLATE "C" NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  password_hash text COLLATE "C",
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE memberships (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role text COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'billing')),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE api_keys (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  created_by_key_id text COLLATE "C" REFERENCES api_keys (id) ON DELETE SET NULL,
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  prefix text COLLATE "C" NOT NULL CHECK (length(prefix) = 11),
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  scopes jsonb NOT NULL,
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  expires_at timestamptz,
  revoked_at timestamptz,
  replaced_by_key_id text COLLATE "C" REFERENCES api_keys (id) ON DELETE SET NULL,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);

-- A price is never changed: a new one is a new row, and a usage record names the version it was charged by.
CREATE TABLE model_prices (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  input_nano_usd_per_token bigint NOT NULL CHECK (input_nano_usd_per_token >= 0),
  output_nano_usd_per_token bigint NOT NULL CHECK (output_nano_usd_per_token >= 0),
  cached_input_nano_usd_per_token bigint CHECK (cached_input_nano_usd_per_token >= 0),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE models (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  id text COLLATE "C" NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
  provider text COLLATE "C" NOT NULL CHECK (length(provider) BETWEEN 1 AND 32),
  upstream_model text COLLATE "C" NOT NULL CHECK (length(upstream_model) BETWEEN 1 AND 256),
  price_id text COLLATE "C" REFERENCES model_prices (id),
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, id)
);

-- One row a request to a model. The id is the gate's: writing a row twice is harmless.
CREATE TABLE usage_records (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  key_id text COLLATE "C" NOT NULL REFERENCES api_keys (id),
  endpoint text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  upstream_model text COLLATE "C" NOT NULL,
  streamed boolean NOT NULL,
  cause text COLLATE "C" NOT NULL CHECK (cause IN (
    'finished', 'client_gone_before_first_byte', 'client_gone_mid_stream', 'client_gone_non_streaming',
    'upstream_refused', 'upstream_unreachable', 'upstream_timeout', 'upstream_broke_off', 'lost'
  )),
  status bigint CHECK (status BETWEEN 100 AND 599),
  estimated boolean NOT NULL,
  input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
  cached_input_tokens bigint NOT NULL CHECK (cached_input_tokens >= 0),
  output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
  reasoning_tokens bigint NOT NULL CHECK (reasoning_tokens >= 0),
  cost_nano_usd bigint CHECK (cost_nano_usd >= 0),
  price_version text COLLATE "C",
  first_byte_ms bigint CHECK (first_byte_ms >= 0),
  duration_ms bigint NOT NULL CHECK (duration_ms >= 0),
  started_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX usage_records_by_time ON usage_records (org_id, started_at);
CREATE INDEX usage_records_by_key ON usage_records (org_id, key_id, started_at);

-- Answers to POSTs that carried an Idempotency-Key. Only hashes of that key are here, and the answer is encrypted under
-- it, since an answer may hold a new secret.
CREATE TABLE idempotent_answers (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  key_hash text COLLATE "C" NOT NULL CHECK (length(key_hash) = 64),
  request_hash text COLLATE "C" NOT NULL CHECK (length(request_hash) = 64),
  answer text COLLATE "C",
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, key_hash)
);
CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at);

-- Row level security: the second wall between organisations, for the day when a statement forgets its WHERE clause.
-- The application says in each transaction whose rows it wants (SET LOCAL headgate.org_id); it sees and writes only
-- those. A transaction that says nothing reads NULL or '' here, which equals no id: it sees no row and can write none.
-- The owner of the tables is not bound by the policies: migrations and backfills work on all organisations. That is why
-- the Worker must never connect as the owner.
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE model_prices ENABLE ROW LEVEL SECURITY;
ALTER TABLE models ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotent_answers ENABLE ROW LEVEL SECURITY;

-- USING hides the rows of others; WITH CHECK refuses to write a row that would be theirs.
CREATE POLICY own_organisation ON orgs
  USING (id = current_setting('headgate.org_id', true))
  WITH CHECK (id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON memberships
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON api_keys
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON model_prices
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON models
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON usage_records
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON idempotent_answers
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));

-- Whoever presents an API key is not known yet, so there is no organisation to name. The hash of the key, which only
-- its holder can bring about, opens that one row, and only for reading.
CREATE POLICY presented_key ON api_keys FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));

-- Old answers are cleared away for all organisations at once. Such a job names the one table that it works on. A DELETE
-- must see the rows that it looks for, so reading is allowed with it; writing is not.
CREATE POLICY clearing_reads ON idempotent_answers FOR SELECT
  USING (current_setting('headgate.every_org', true) = 'idempotent_answers');
CREATE POLICY clearing_deletes ON idempotent_answers FOR DELETE
  USING (current_setting('headgate.every_org', true) = 'idempotent_answers');

-- What the application does today, and no more. It has no business with people yet: users and memberships are closed.
GRANT USAGE ON SCHEMA public TO headgate_app;
GRANT SELECT ON orgs TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON api_keys TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON models TO headgate_app;
GRANT SELECT, INSERT ON model_prices TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON usage_records TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotent_answers TO headgate_app;
