-- The way back from 0001_initial.sql. All data is lost.

DROP TABLE idempotent_answers;
DROP TABLE usage_records;
DROP TABLE models;
DROP TABLE model_prices;
DROP TABLE api_keys;
DROP TABLE memberships;
DROP TABLE users;
DROP TABLE orgs;
