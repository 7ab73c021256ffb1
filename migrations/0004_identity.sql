-- People: how they sign in, where they belong, what they may do, and the log of what was done. Secrets are hashes, or
-- sealed under a key that is derived from HEADGATE_SECRET.

-- Since when its members need codes at sign-in.
ALTER TABLE orgs ADD COLUMN second_factor_required_at TEXT;
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);
ALTER TABLE users ADD COLUMN email_verified_at TEXT;
ALTER TABLE users ADD COLUMN totp_sealed TEXT;
ALTER TABLE users ADD COLUMN totp_confirmed_at TEXT;
-- The last time step that was used, so that no code works twice (RFC 6238, 5.2).
ALTER TABLE users ADD COLUMN totp_step INTEGER CHECK (totp_step >= 0);
-- What was begun before no longer holds: sessions, refresh tokens and access tokens.
ALTER TABLE users ADD COLUMN signed_out_at TEXT;
ALTER TABLE users ADD COLUMN deleted_at TEXT;

-- A role of an organisation's own, as a set of permissions. A membership that names one has those, and not its role's.
CREATE TABLE roles (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  permissions TEXT NOT NULL CHECK (json_valid(permissions)),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (org_id, name)
) STRICT;

ALTER TABLE memberships ADD COLUMN custom_role_id TEXT REFERENCES roles (id);
ALTER TABLE memberships ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);
CREATE INDEX memberships_by_custom_role ON memberships (org_id, custom_role_id);

CREATE TABLE teams (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (org_id, name)
) STRICT;

CREATE TABLE team_members (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_by_user ON team_members (org_id, user_id);
CREATE INDEX team_members_by_team ON team_members (team_id);

-- A `server` key is held by a program. A `browser` key is short-lived and made for one end user. A `person` key has no
-- secret that anybody knows: a member's own calls are counted on it.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'server' CHECK (kind IN ('server', 'browser', 'person'));
ALTER TABLE api_keys ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE api_keys ADD COLUMN team_id TEXT REFERENCES teams (id) ON DELETE SET NULL;
ALTER TABLE api_keys ADD COLUMN model_names TEXT CHECK (model_names IS NULL OR json_valid(model_names));
ALTER TABLE api_keys ADD COLUMN ip_ranges TEXT CHECK (ip_ranges IS NULL OR json_valid(ip_ranges));
ALTER TABLE api_keys ADD COLUMN origins TEXT CHECK (origins IS NULL OR json_valid(origins));
ALTER TABLE api_keys ADD COLUMN end_user TEXT CHECK (length(end_user) BETWEEN 1 AND 256);
ALTER TABLE api_keys ADD COLUMN leaked_at TEXT;
CREATE INDEX api_keys_by_user ON api_keys (org_id, user_id, kind);
-- Keys are listed by kind: there may be far more of browsers' than of any other.
DROP INDEX api_keys_by_org;
CREATE INDEX api_keys_by_kind ON api_keys (org_id, kind, id);
CREATE INDEX api_keys_minted ON api_keys (org_id, created_by_key_id, expires_at) WHERE kind = 'browser';
CREATE INDEX api_keys_ending ON api_keys (expires_at, org_id) WHERE kind = 'browser';

CREATE TABLE invitations (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  email TEXT NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'billing')),
  custom_role_id TEXT REFERENCES roles (id) ON DELETE CASCADE,
  invited_by_user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at TEXT NOT NULL,
  accepted_at TEXT,
  revoked_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX invitations_by_org ON invitations (org_id, id);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  active_org_id TEXT CHECK (length(active_org_id) = 36),
  user_agent TEXT CHECK (length(user_agent) <= 200),
  address TEXT CHECK (length(address) <= 64),
  seen_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  revoked_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_age ON sessions (expires_at);

-- Each use of a refresh token makes the next of its family. When one is used a second time, the whole family ends.
CREATE TABLE refresh_tokens (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  family_id TEXT NOT NULL CHECK (length(family_id) = 36),
  active_org_id TEXT CHECK (length(active_org_id) = 36),
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at TEXT NOT NULL,
  used_at TEXT,
  revoked_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id, family_id);
CREATE INDEX refresh_tokens_by_age ON refresh_tokens (expires_at);

-- An access token that must not live on until its end, by the hash of its `jti`.
CREATE TABLE revoked_tokens (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  jti_hash TEXT NOT NULL CHECK (length(jti_hash) = 64),
  expires_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (user_id, jti_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_age ON revoked_tokens (expires_at);

-- What was sent by mail, to be used once: to verify an address, to reset a password, to change an address.
CREATE TABLE mail_tokens (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'change_email')),
  email TEXT NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at TEXT NOT NULL,
  used_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_age ON mail_tokens (expires_at);

CREATE TABLE recovery_codes (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_hash TEXT NOT NULL CHECK (length(code_hash) = 64),
  used_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

-- A way in at another issuer (OpenID Connect, GitHub). `secret_hash` is the keyed hash of issuer and subject: it finds
-- the row before it is known whose it is.
CREATE TABLE logins (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  issuer TEXT NOT NULL CHECK (length(issuer) BETWEEN 1 AND 255),
  subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
  email TEXT CHECK (length(email) BETWEEN 3 AND 254),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX logins_by_user ON logins (user_id, id);

-- The keys that access tokens are signed with. A new one is published before it signs, and an old one stays published
-- until nothing that it has signed is valid any more.
CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  algorithm TEXT NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
  public_jwk TEXT NOT NULL CHECK (length(public_jwk) BETWEEN 2 AND 2000),
  private_sealed TEXT NOT NULL,
  signs_from_at TEXT NOT NULL,
  signs_until_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- Who did what to which, when, from where, and how it ended: of an organisation, and of a person (sign-ins). Rows are
-- only ever added, and each carries the hash of the one before.
CREATE TABLE audit_events (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
  action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
  actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
  target TEXT CHECK (length(target) BETWEEN 1 AND 300),
  result TEXT NOT NULL CHECK (result IN ('ok', 'denied', 'failed')),
  address TEXT CHECK (length(address) <= 64),
  request_id TEXT CHECK (length(request_id) <= 64),
  details TEXT NOT NULL CHECK (length(details) <= 4000),
  previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_action ON audit_events (org_id, action, seq);
CREATE INDEX audit_events_by_actor ON audit_events (org_id, actor, seq);

CREATE TABLE person_events (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
  action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
  actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
  target TEXT CHECK (length(target) BETWEEN 1 AND 300),
  result TEXT NOT NULL CHECK (result IN ('ok', 'denied', 'failed')),
  address TEXT CHECK (length(address) <= 64),
  request_id TEXT CHECK (length(request_id) <= 64),
  details TEXT NOT NULL CHECK (length(details) <= 4000),
  previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;
