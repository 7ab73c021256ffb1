-- What people call a limit or a budget: errors say it. The same columns as in ../0007_rule_names.sql.

ALTER TABLE limits ADD COLUMN name text COLLATE "C" CHECK (length(name) BETWEEN 1 AND 100);
ALTER TABLE budgets ADD COLUMN name text COLLATE "C" CHECK (length(name) BETWEEN 1 AND 100);
