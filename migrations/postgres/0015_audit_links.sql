-- The links of the chains of the audit logs. A row of a log is written with its seal, in `hash`, and gets its link behind
-- that; `previous_hash` says so by 64 dashes. Links are only ever added. The same columns as in
-- ../0015_audit_links.sql.
CREATE TABLE audit_links (
  org_id text COLLATE "C" NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  seq bigint NOT NULL CHECK (seq >= 1),
  previous_hash text COLLATE "C" NOT NULL CHECK (length(previous_hash) = 64),
  hash text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, seq)
);

CREATE TABLE person_links (
  user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  seq bigint NOT NULL CHECK (seq >= 1),
  previous_hash text COLLATE "C" NOT NULL CHECK (length(previous_hash) = 64),
  hash text COLLATE "C" NOT NULL CHECK (length(hash) = 64),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, seq)
);

-- Chains go on from their last row: one seek an owner. Where that is sealed (this migration was undone before), links
-- are made anew from the first row.
INSERT INTO audit_links (org_id, seq, previous_hash, hash, created_at, updated_at)
  SELECT audit_events.org_id, audit_events.seq, audit_events.previous_hash, audit_events.hash, audit_events.created_at, audit_events.updated_at
  FROM orgs
  JOIN audit_events ON audit_events.org_id = orgs.id
    AND audit_events.seq = (SELECT max(last.seq) FROM audit_events AS last WHERE last.org_id = orgs.id)
  WHERE audit_events.previous_hash <> '----------------------------------------------------------------';
INSERT INTO person_links (user_id, seq, previous_hash, hash, created_at, updated_at)
  SELECT person_events.user_id, person_events.seq, person_events.previous_hash, person_events.hash, person_events.created_at, person_events.updated_at
  FROM users
  JOIN person_events ON person_events.user_id = users.id
    AND person_events.seq = (SELECT max(last.seq) FROM person_events AS last WHERE last.user_id = users.id)
  WHERE person_events.previous_hash <> '----------------------------------------------------------------';

ALTER TABLE audit_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE person_links ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_organisation ON audit_links
  USING (org_id = current_setting('headgate.org_id', true))
  WITH CHECK (org_id = current_setting('headgate.org_id', true));
CREATE POLICY own_person ON person_links
  USING (user_id = current_setting('headgate.user_id', true))
  WITH CHECK (user_id = current_setting('headgate.user_id', true));
-- The hourly work asks whose rows have no link. What it links it links as that owner.
CREATE POLICY jobs_read ON audit_events FOR SELECT USING (current_setting('headgate.every_org', true) = 'audit_events');
CREATE POLICY jobs_read ON audit_links FOR SELECT USING (current_setting('headgate.every_org', true) = 'audit_events');
CREATE POLICY jobs_read ON person_events FOR SELECT USING (current_setting('headgate.every_org', true) = 'person_events');
CREATE POLICY jobs_read ON person_links FOR SELECT USING (current_setting('headgate.every_org', true) = 'person_events');
GRANT SELECT, INSERT ON audit_links TO headgate_app;
GRANT SELECT, INSERT ON person_links TO headgate_app;
