-- People: how they sign in, where they belong, what they may do, and the log of what was done. Secrets are hashes, or
-- sealed under a key that is derived from HEADGATE_SECRET. The same tables as in ../0004_identity.sql, column for column.

-- Since when its members need codes at sign-in.
ALTER TABLE orgs ADD COLUMN second_factor_required_at timestamptz;
ALTER TABLE users ADD COLUMN version bigint NOT NULL DEFAULT 1 CHECK (version >= 1);
ALTER TABLE users ADD COLUMN email_verified_at timestamptz;
ALTER TABLE users ADD COLUMN totp_sealed text COLLATE "C";
ALTER TABLE users ADD COLUMN totp_confirmed_at timestamptz;
-- The last time step that was used, so that no code works twice (RFC 6238, 5.2).
ALTER TABLE users ADD COLUMN totp_step bigint CHECK (totp_step >= 0);
-- What was begun before no longer holds: sessions, refresh tokens and access tokens.
ALTER TABLE users ADD COLUMN signed_out_at timestamptz;
ALTER TABLE users ADD COLUMN deleted_at timestamptz;

-- A role of an organisation's own, as a set of permissions. A membership that names one has those, and not its role's.
CREATE TABLE roles (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  permissions jsonb NOT NULL,
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (org_id, name)
);

ALTER TABLE memberships ADD COLUMN custom_role_id text COLLATE "C" REFERENCES roles (id);
ALTER TABLE memberships ADD COLUMN version bigint NOT NULL DEFAULT 1 CHECK (version >= 1);
CREATE INDEX memberships_by_custom_role ON memberships (org_id, custom_role_id);

CREATE TABLE teams (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (org_id, name)
);

CREATE TABLE team_members (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  team_id text COLLATE "C" NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, team_id, user_id)
);
CREATE INDEX team_members_by_user ON team_members (org_id, user_id);
CREATE INDEX team_members_by_team ON team_members (team_id);

-- A `server` key is held by a program. A `browser` key is short-lived and made for one end user. A `person` key has no
-- secret that anybody knows: a member's own calls are counted on it.
ALTER TABLE api_keys ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'server' CHECK (kind IN ('server', 'browser', 'person'));
ALTER TABLE api_keys ADD COLUMN user_id text COLLATE "C" REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE api_keys ADD COLUMN team_id text COLLATE "C" REFERENCES teams (id) ON DELETE SET NULL;
ALTER TABLE api_keys ADD COLUMN model_names jsonb;
ALTER TABLE api_keys ADD COLUMN ip_ranges jsonb;
ALTER TABLE api_keys ADD COLUMN origins jsonb;
ALTER TABLE api_keys ADD COLUMN end_user text COLLATE "C" CHECK (length(end_user) BETWEEN 1 AND 256);
ALTER TABLE api_keys ADD COLUMN leaked_at timestamptz;
CREATE INDEX api_keys_by_user ON api_keys (org_id, user_id, kind);
-- Keys are listed by kind: there may be far more of browsers' than of any other.
DROP INDEX api_keys_by_org;
CREATE INDEX api_keys_by_kind ON api_keys (org_id, kind, id);
CREATE INDEX api_keys_minted ON api_keys (org_id, created_by_key_id, expires_at) WHERE kind = 'browser';
CREATE INDEX api_keys_ending ON api_keys (expires_at, org_id) WHERE kind = 'browser';

CREATE TABLE invitations (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  email text COLLATE "C" NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  role text COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'billing')),
  custom_role_id text COLLATE "C" REFERENCES roles (id) ON DELETE CASCADE,
  invited_by_user_id text COLLATE "C" REFERENCES users (id) ON DELETE SET NULL,
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX invitations_by_org ON invitations (org_id, id);

CREATE TABLE sessions (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  active_org_id text COLLATE "C" CHECK (length(active_org_id) = 36),
  user_agent text COLLATE "C" CHECK (length(user_agent) <= 200),
  address text COLLATE "C" CHECK (length(address) <= 64),
  seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_age ON sessions (expires_at);

-- Each use of a refresh token makes the next of its family. When one is used a second time, the whole family ends.
CREATE TABLE refresh_tokens (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  family_id text COLLATE "C" NOT NULL CHECK (length(family_id) = 36),
  active_org_id text COLLATE "C" CHECK (length(active_org_id) = 36),
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id, family_id);
CREATE INDEX refresh_tokens_by_age ON refresh_tokens (expires_at);

-- An access token that must not live on until its end, by the hash of its `jti`.
CREATE TABLE revoked_tokens (
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  jti_hash text COLLATE "C" NOT NULL CHECK (length(jti_hash) = 64),
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, jti_hash)
);
CREATE INDEX revoked_tokens_by_age ON revoked_tokens (expires_at);

-- What was sent by mail, to be used once: to verify an address, to reset a password, to change an address.
CREATE TABLE mail_tokens (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose text COLLATE "C" NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'change_email')),
  email text COLLATE "C" NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_age ON mail_tokens (expires_at);

CREATE TABLE recovery_codes (
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_hash text COLLATE "C" NOT NULL CHECK (length(code_hash) = 64),
  used_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, code_hash)
);

-- A way in at another issuer (OpenID Connect, GitHub). `secret_hash` is the keyed hash of issuer and subject: it finds
-- the row before it is known whose it is.
CREATE TABLE logins (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash text COLLATE "C" NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  issuer text COLLATE "C" NOT NULL CHECK (length(issuer) BETWEEN 1 AND 255),
  subject text COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  email text COLLATE "C" CHECK (length(email) BETWEEN 3 AND 254),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX logins_by_user ON logins (user_id, id);

-- The keys that access tokens are signed with. A new one is published before it signs, and an old one stays published
-- until nothing that it has signed is valid any more.
CREATE TABLE signing_keys (
  id text COLLATE "C" PRIMARY KEY CHECK (length(id) = 36),
  algorithm text COLLATE "C" NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
  public_jwk text COLLATE "C" NOT NULL CHECK (length(public_jwk) BETWEEN 2 AND 2000),
  private_sealed text COLLATE "C" NOT NULL,
  signs_from_at timestamptz NOT NULL,
  signs_until_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

-- Who did what to which, when, from where, and how it ended: of an organisation, and of a person (sign-ins). Rows are
-- only ever added, and each carries the hash of the one before.
CREATE TABLE audit_events (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  seq bigint NOT NULL CHECK (seq >= 1),
  id text COLLATE "C" NOT NULL UNIQUE CHECK (length(id) = 36),
  action text COLLATE "C" NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
  actor text COLLATE "C" NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
  target text COLLATE "C" CHECK (length(target) BETWEEN 1 AND 300),
  result text COLLATE "C" NOT NULL CHECK (result IN ('ok', 'denied', 'failed')),
  address text COLLATE "C" CHECK (length(address) <= 64),
  request_id text COLLATE "C" CHECK (length(request_id) <= 64),
  details text COLLATE "C" NOT NULL CHECK (length(details) <= 4000),
  previous_hash text COLLATE "C" NOT NULL CHECK (length(previous_hash) = 64),
  hash text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, seq)
);
CREATE INDEX audit_events_by_action ON audit_events (org_id, action, seq);
CREATE INDEX audit_events_by_actor ON audit_events (org_id, actor, seq);

CREATE TABLE person_events (
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  seq bigint NOT NULL CHECK (seq >= 1),
  id text COLLATE "C" NOT NULL UNIQUE CHECK (length(id) = 36),
  action text COLLATE "C" NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
  actor text COLLATE "C" NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
  target text COLLATE "C" CHECK (length(target) BETWEEN 1 AND 300),
  result text COLLATE "C" NOT NULL CHECK (result IN ('ok', 'denied', 'failed')),
  address text COLLATE "C" CHECK (length(address) <= 64),
  request_id text COLLATE "C" CHECK (length(request_id) <= 64),
  details text COLLATE "C" NOT NULL CHECK (length(details) <= 4000),
  previous_hash text COLLATE "C" NOT NULL CHECK (length(previous_hash) = 64),
  hash text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, seq)
);

-- Row level security: see 0001_initial.sql. A person's own rows are opened by headgate.user_id, and memberships by either:
-- a person may see where it belongs. Who presents a secret (or an address) is not known yet, so its hash opens that one row.
ALTER TABLE roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
ALTER TABLE team_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE revoked_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON roles
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON teams
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON team_members
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON invitations
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_organisation ON audit_events
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_person ON sessions
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON refresh_tokens
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON revoked_tokens
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON mail_tokens
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON recovery_codes
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON logins
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON person_events
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON users
  USING (id = current_setting('headgate.user_id', true))
  WITH CHECK (id = current_setting('headgate.user_id', true));
CREATE POLICY own_person ON memberships FOR SELECT USING (user_id = current_setting('headgate.user_id', true));
-- The organisations where a person is a member, and the members of an organisation.
CREATE POLICY own_memberships ON orgs FOR SELECT
  USING (id IN (SELECT org_id FROM memberships WHERE user_id = current_setting('headgate.user_id', true)));
CREATE POLICY fellow_members ON users FOR SELECT
  USING (id IN (SELECT user_id FROM memberships WHERE org_id = current_setting('headgate.org_id', true)));
CREATE POLICY presented_email ON users FOR SELECT USING (email = current_setting('headgate.key_hash', true));
CREATE POLICY presented_secret ON invitations FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));
CREATE POLICY presented_secret ON sessions FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));
CREATE POLICY presented_secret ON refresh_tokens FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));
CREATE POLICY presented_secret ON mail_tokens FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));
CREATE POLICY presented_secret ON logins FOR SELECT
  USING (secret_hash = current_setting('headgate.key_hash', true));
CREATE POLICY clearing_reads ON sessions FOR SELECT
  USING (current_setting('headgate.every_org', true) = 'sessions');
CREATE POLICY clearing_deletes ON sessions FOR DELETE
  USING (current_setting('headgate.every_org', true) = 'sessions');
CREATE POLICY clearing_reads ON refresh_tokens FOR SELECT
  USING (current_setting('headgate.every_org', true) = 'refresh_tokens');
CREATE POLICY clearing_deletes ON refresh_tokens FOR DELETE
  USING (current_setting('headgate.every_org', true) = 'refresh_tokens');
CREATE POLICY clearing_reads ON revoked_tokens FOR SELECT
  USING (current_setting('headgate.every_org', true) = 'revoked_tokens');
CREATE POLICY clearing_deletes ON revoked_tokens FOR DELETE
  USING (current_setting('headgate.every_org', true) = 'revoked_tokens');
CREATE POLICY clearing_reads ON mail_tokens FOR SELECT
  USING (current_setting('headgate.every_org', true) = 'mail_tokens');
CREATE POLICY clearing_deletes ON mail_tokens FOR DELETE
  USING (current_setting('headgate.every_org', true) = 'mail_tokens');
-- Whose sessions the operator ends.
CREATE POLICY operator_reads ON users FOR SELECT USING (current_setting('headgate.every_org', true) = 'users');
-- Of browsers' keys, which is all that the daily work looks for.
CREATE POLICY clearing_reads ON api_keys FOR SELECT
  USING (kind = 'browser' AND current_setting('headgate.every_org', true) = 'api_keys');
-- They belong to nobody, and hold no secret that is not sealed.
CREATE POLICY deployment ON signing_keys USING (true) WITH CHECK (true);

GRANT INSERT ON orgs TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON users TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON roles TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON teams TO headgate_app;
GRANT SELECT, INSERT, DELETE ON team_members TO headgate_app;
GRANT SELECT, INSERT, UPDATE ON invitations TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO headgate_app;
GRANT SELECT, INSERT, DELETE ON revoked_tokens TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_tokens TO headgate_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON recovery_codes TO headgate_app;
GRANT SELECT, INSERT, DELETE ON logins TO headgate_app;
GRANT SELECT, INSERT, DELETE ON signing_keys TO headgate_app;
GRANT SELECT, INSERT ON audit_events TO headgate_app;
GRANT SELECT, INSERT ON person_events TO headgate_app;
