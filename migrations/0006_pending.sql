-- What is pending of an account hangs on its epoch: a new password, another address or signing out everywhere begins the
-- next one, and what was begun in the last is void. And invitations that were handed over, not mailed.

ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0);
-- Since when an account whose address nobody could prove may be used: where no mail is sent, on its inviter's word.
ALTER TABLE users ADD COLUMN vouched_at TEXT;
-- 0: whoever invited got the link, so it proves no address.
ALTER TABLE invitations ADD COLUMN mailed INTEGER NOT NULL DEFAULT 1 CHECK (mailed IN (0, 1));

CREATE TABLE new_mail_tokens (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose TEXT NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'change_email', 'stop_email_change')),
  email TEXT NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
  secret_hash TEXT NOT NULL UNIQUE CHECK (length(secret_hash) = 64),
  expires_at TEXT NOT NULL,
  used_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0)
) STRICT;
INSERT INTO new_mail_tokens (id, user_id, purpose, email, secret_hash, expires_at, used_at, created_at, updated_at)
  SELECT id, user_id, purpose, email, secret_hash, expires_at, used_at, created_at, updated_at FROM mail_tokens;
DROP TABLE mail_tokens;
ALTER TABLE new_mail_tokens RENAME TO mail_tokens;
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_by_age ON mail_tokens (expires_at);
