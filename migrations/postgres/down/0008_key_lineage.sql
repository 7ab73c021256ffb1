-- The way back from 0008_key_lineage.sql. Rules no longer follow keys, and nobody knows what was made with which.

ALTER TABLE invitations DROP COLUMN invited_by_key_id;
ALTER TABLE api_keys DROP COLUMN maker_holder_ids;
ALTER TABLE api_keys DROP COLUMN holder_key_id;
ALTER TABLE api_keys DROP COLUMN maker_line_ids;
ALTER TABLE api_keys DROP COLUMN line_key_id;
