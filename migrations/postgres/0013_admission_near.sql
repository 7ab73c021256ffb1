-- Who decides of an organisation's calls. The same column as in ../0013_admission_near.sql.

ALTER TABLE orgs ADD COLUMN admission text COLLATE "C" NOT NULL DEFAULT 'exact' CHECK (admission IN ('exact', 'leased'));
