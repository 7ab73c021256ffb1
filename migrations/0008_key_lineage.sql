-- Where a key comes from: what its calls count on, and what ends with it. A line is a key and what has replaced it; a
-- holder has a key and those that were made by rotating it with itself. Each has the id of its first key, null in that
-- key's own row. Makers are ids with a space between them, the nearest first.

ALTER TABLE api_keys ADD COLUMN line_key_id TEXT CHECK (length(line_key_id) = 36);
ALTER TABLE api_keys ADD COLUMN maker_line_ids TEXT CHECK (length(maker_line_ids) BETWEEN 36 AND 200);
ALTER TABLE api_keys ADD COLUMN holder_key_id TEXT CHECK (length(holder_key_id) = 36);
ALTER TABLE api_keys ADD COLUMN maker_holder_ids TEXT CHECK (length(maker_holder_ids) BETWEEN 36 AND 1000);
-- Of an invitation that was sent with a key: that key. What a thief has sent ends with what it has stolen.
ALTER TABLE invitations ADD COLUMN invited_by_key_id TEXT CHECK (length(invited_by_key_id) = 36);
