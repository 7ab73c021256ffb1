ALTER TABLE usage_marks DROP COLUMN moves;
DROP TABLE usage_objects;
