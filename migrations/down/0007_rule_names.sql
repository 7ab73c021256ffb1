-- The way back from 0007_rule_names.sql. Names of limits and budgets are lost.

ALTER TABLE budgets DROP COLUMN name;
ALTER TABLE limits DROP COLUMN name;
