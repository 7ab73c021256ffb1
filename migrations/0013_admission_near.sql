-- Who decides of an organisation's calls: its gate alone, or gates in its callers' regions too, under leases.

ALTER TABLE orgs ADD COLUMN admission TEXT NOT NULL DEFAULT 'exact' CHECK (admission IN ('exact', 'leased'));
