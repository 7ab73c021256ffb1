-- The links of the chains of the audit logs. A row of a log is written with its seal, in `hash`, and gets its link behind
-- that; `previous_hash` says so by 64 dashes. Links are only ever added.
CREATE TABLE audit_links (
  org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (org_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE person_links (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL CHECK (seq >= 1),
  previous_hash TEXT NOT NULL CHECK (length(previous_hash) = 64),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;

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
