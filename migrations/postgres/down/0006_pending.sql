-- The way back from 0006_pending.sql. What is pending is lost; accounts on their inviter's word can't be used until
-- their address is confirmed.

DELETE FROM mail_tokens;
ALTER TABLE mail_tokens DROP CONSTRAINT mail_tokens_purpose_check;
ALTER TABLE mail_tokens ADD CONSTRAINT mail_tokens_purpose_check
  CHECK (purpose IN ('verify_email', 'reset_password', 'change_email'));
ALTER TABLE mail_tokens DROP COLUMN epoch;
ALTER TABLE invitations DROP COLUMN mailed;
ALTER TABLE users DROP COLUMN vouched_at;
ALTER TABLE users DROP COLUMN epoch;
