-- Records that have left the store can be read where they went. The same table as in ../0014_archived_records.sql.
CREATE TABLE usage_objects (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  day text COLLATE "C" NOT NULL CHECK (length(day) = 10),
  name text COLLATE "C" NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  low_id text COLLATE "C" NOT NULL CHECK (length(low_id) = 36),
  high_id text COLLATE "C" NOT NULL CHECK (length(high_id) = 36),
  records bigint NOT NULL CHECK (records >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, day, name)
);
ALTER TABLE usage_marks ADD COLUMN moves bigint NOT NULL DEFAULT 0;

ALTER TABLE usage_objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON usage_objects
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
GRANT SELECT, INSERT, DELETE ON usage_objects TO headgate_app;
