-- What an organisation knows of its own models: the most tokens of an answer, of input and answer together, and the name
-- of the field that limits an answer. The same columns as in ../0005_model_limits.sql.

ALTER TABLE models ADD COLUMN max_output_tokens bigint CHECK (max_output_tokens >= 1);
ALTER TABLE models ADD COLUMN context_tokens bigint CHECK (context_tokens >= 1);
ALTER TABLE models ADD COLUMN output_limit_field text COLLATE "C"
  CHECK (output_limit_field IN ('max_tokens', 'max_completion_tokens'));
