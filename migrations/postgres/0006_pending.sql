-- What is pending of an account hangs on its epoch: a new password, another address or signing out everywhere begins the
-- next one, and what was begun in the last is void. And invitations that were handed over, not mailed. The same columns
-- as in ../0006_pending.sql.

ALTER TABLE users ADD COLUMN epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0);
ALTER TABLE users ADD COLUMN vouched_at timestamptz;
ALTER TABLE invitations ADD COLUMN mailed boolean NOT NULL DEFAULT true;
ALTER TABLE mail_tokens ADD COLUMN epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0);
ALTER TABLE mail_tokens DROP CONSTRAINT mail_tokens_purpose_check;
ALTER TABLE mail_tokens ADD CONSTRAINT mail_tokens_purpose_check
  CHECK (purpose IN ('verify_email', 'reset_password', 'change_email', 'stop_email_change'));
