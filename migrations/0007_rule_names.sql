-- What people call a limit or a budget: errors say it.

ALTER TABLE limits ADD COLUMN name TEXT CHECK (length(name) BETWEEN 1 AND 100);
ALTER TABLE budgets ADD COLUMN name TEXT CHECK (length(name) BETWEEN 1 AND 100);
