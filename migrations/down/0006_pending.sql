-- The way back from 0006_pending.sql. What is pending is lost; accounts on their inviter's word can't be used until
-- their address is confirmed.

CREATE TABLE old_mail_tokens (
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
DROP TABLE mail_tokens;
ALTER TABLE old_mail_tokens RENAME TO mail_tokens;
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_age ON mail_tokens (expires_at);
ALTER TABLE invitations DROP COLUMN mailed;
ALTER TABLE users DROP COLUMN vouched_at;
ALTER TABLE users DROP COLUMN epoch;
