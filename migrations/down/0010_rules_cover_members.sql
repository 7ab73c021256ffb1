-- The way back from 0010_rules_cover_members.sql. Teams' rules count keys alone.

ALTER TABLE budgets DROP COLUMN covers;
ALTER TABLE limits DROP COLUMN covers;
