-- The way back from 0002_admission.sql. All limits and budgets, prices a request and time zones are lost. Policies and
-- grants go with their tables.

DROP TABLE budgets;
DROP TABLE limits;
DROP INDEX model_prices_by_org;
ALTER TABLE model_prices DROP COLUMN per_request_nano_usd;
ALTER TABLE orgs DROP COLUMN time_zone;
