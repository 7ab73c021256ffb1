-- Records that have left the store can be read where they went: which object of the archive holds those of an
-- organisation's day, from when until when they began, and between which ids.
CREATE TABLE usage_objects (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  day TEXT NOT NULL CHECK (length(day) = 10),
  name TEXT NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  low_id TEXT NOT NULL CHECK (length(low_id) = 36),
  high_id TEXT NOT NULL CHECK (length(high_id) = 36),
  records INTEGER NOT NULL CHECK (records >= 1),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, day, name)
) STRICT, WITHOUT ROWID;

-- How often something has changed among the records before `pruned_until`. Who works on them names the number that was
-- read, and does nothing where it is another one.
ALTER TABLE usage_marks ADD COLUMN moves INTEGER NOT NULL DEFAULT 0;
