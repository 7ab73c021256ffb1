-- The way back from 0013_admission_near.sql. Each organisation's gate decides alone again. What its regions hold comes back
-- within seconds, or stays counted.

ALTER TABLE orgs DROP COLUMN admission;
