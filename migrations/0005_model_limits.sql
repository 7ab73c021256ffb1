-- What an organisation knows of its own models: the most tokens of an answer, of input and answer together, and the name
-- of the field that limits an answer.

ALTER TABLE models ADD COLUMN max_output_tokens INTEGER CHECK (max_output_tokens >= 1);
ALTER TABLE models ADD COLUMN context_tokens INTEGER CHECK (context_tokens >= 1);
ALTER TABLE models ADD COLUMN output_limit_field TEXT
  CHECK (output_limit_field IN ('max_tokens', 'max_completion_tokens'));
