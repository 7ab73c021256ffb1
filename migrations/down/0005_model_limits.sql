-- The way back from 0005_model_limits.sql. What was said of models' limits is lost.

ALTER TABLE models DROP COLUMN output_limit_field;
ALTER TABLE models DROP COLUMN context_tokens;
ALTER TABLE models DROP COLUMN max_output_tokens;
