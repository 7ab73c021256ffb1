-- The way back from 0001_initial.sql. All data is lost. Policies and grants go with their tables; the role stays, since
-- other databases of the server may use it and logins are members of it.

DROP TABLE idempotent_answers;
DROP TABLE usage_records;
DROP TABLE models;
DROP TABLE model_prices;
DROP TABLE api_keys;
DROP TABLE memberships;
DROP TABLE users;
DROP TABLE orgs;
REVOKE USAGE ON SCHEMA public FROM headgate_app;
