-- The way back from 0011_usage_subjects.sql. Of whose calls the sums are is lost.

CREATE TEMPORARY TABLE summed ON COMMIT DROP AS
  SELECT org_id, day, model, key_id, sum(requests)::bigint AS requests, sum(input_tokens)::bigint AS input_tokens,
    sum(cached_input_tokens)::bigint AS cached_input_tokens, sum(output_tokens)::bigint AS output_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens, sum(cost_nano_usd)::bigint AS cost_nano_usd,
    sum(estimated_requests)::bigint AS estimated_requests, sum(unpriced_requests)::bigint AS unpriced_requests,
    min(created_at) AS created_at, max(updated_at) AS updated_at
    FROM usage_days GROUP BY org_id, day, model, key_id;
DELETE FROM usage_days;
ALTER TABLE usage_days DROP CONSTRAINT usage_days_pkey;
ALTER TABLE usage_days DROP COLUMN provider;
ALTER TABLE usage_days DROP COLUMN team_id;
ALTER TABLE usage_days DROP COLUMN user_id;
ALTER TABLE usage_days DROP COLUMN end_user;
ALTER TABLE usage_days ADD PRIMARY KEY (org_id, day, model, key_id);
INSERT INTO usage_days SELECT * FROM summed;
