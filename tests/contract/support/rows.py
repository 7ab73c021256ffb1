"""A row in every table, by SQL that both dialects take."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from lib.kernel.ids import new_id
from tools.seed import Credentials, seed_statements

SECRET = "a-secret-for-tests-that-is-long-enough-0123456789"
NOW = "2026-11-20T12:30:15.123456Z"
TABLES = (
    "orgs", "users", "memberships", "api_keys", "model_prices", "models", "usage_records", "limits", "budgets",
    "idempotent_answers", "usage_days", "usage_marks", "usage_objects", "budget_adjustments", "roles", "teams",
    "team_members", "invitations", "sessions", "refresh_tokens", "revoked_tokens", "mail_tokens", "recovery_codes",
    "logins", "audit_events", "audit_links", "person_events", "person_links", "signing_keys",
)  # fmt: skip
USAGE = (
    "id, org_id, key_id, endpoint, model, provider, upstream_model, streamed, cause, status, estimated, input_tokens,"
    " cached_input_tokens, output_tokens, reasoning_tokens, cost_nano_usd, price_version, first_byte_ms, duration_ms,"
    " started_at, created_at, updated_at"
)


def rows_everywhere(email: str) -> tuple[Credentials, str]:
    """Return an organisation's credentials, and the SQL that gives it one row in each table."""
    made, seeded = seed_statements(SECRET, email)
    org, price, budget = made.org_id, new_id(datetime.now(UTC)), new_id(datetime.now(UTC))
    key = f"(SELECT id FROM api_keys WHERE org_id = '{org}' AND kind = 'server')"
    rows = {
        "model_prices (id, org_id, input_nano_usd_per_token, output_nano_usd_per_token, per_request_nano_usd,"
        " created_at, updated_at)": f"'{price}', '{org}', 150, 600, {2**53}",
        "models (org_id, id, provider, upstream_model, max_output_tokens, context_tokens, output_limit_field,"
        " price_id, version, created_at, updated_at)": f"'{org}', 'm', 'sim', 'chat', 900, 9000, 'max_tokens',"
        f" '{price}', 1",
        # Booleans are written as text, which both read.
        f"usage_records ({USAGE})": f"'{new_id(datetime.now(UTC))}', '{org}', {key}, 'chat.completions', 'm', 'sim',"
        f" 'chat', '1', 'finished', 200, '0', 1, 0, {2**53}, 0, 9, 'v1', NULL, 3, '{NOW}'",
        "limits (id, org_id, scope_type, scope_id, scope_model, unit, amount, window_seconds, burst, version,"
        " created_at, updated_at)": f"'{new_id(datetime.now(UTC))}', '{org}', 'key', '*', 'm', 'tokens', 1000, 60,"
        " 10000, 1",
        "budgets (id, org_id, scope_type, scope_id, scope_model, spend_window, limit_nano_usd, mode, version,"
        " created_at, updated_at)": f"'{budget}', '{org}', 'org', '{org}', NULL, 'month', {2**53}, 'hard', 1",
        "usage_days (org_id, day, model, key_id, requests, input_tokens, cached_input_tokens, output_tokens,"
        " reasoning_tokens, cost_nano_usd, estimated_requests, unpriced_requests, created_at, updated_at)": (
            f"'{org}', '2026-11-20', 'm', {key}, 1, 1, 0, {2**53}, 0, 9, 0, 1"
        ),
        "usage_marks (org_id, summed_until, pruned_until, created_at, updated_at)": f"'{org}', '2026-11-21',"
        " '1970-01-01'",
        "usage_objects": f"'{org}', '2026-11-20', 'x.ndjson.gz', '{NOW}', '{NOW}', '{org}', '{org}', 1",
        "budget_adjustments": f"'{new_id(datetime.now(UTC))}', '{org}', '{budget}', 'top_up', 5, NULL, NULL",
        "idempotent_answers": f"'{org}', '{'a' * 64}', '{'b' * 64}', {quoted_json()}",
        **_of_people(org),
    }
    return made, seeded + "".join(
        f"INSERT INTO {table} VALUES ({values}, '{NOW}', '{NOW}');\n" for table, values in rows.items()
    )


def _of_people(org: str) -> dict[str, str]:
    """Return the values of a row for each table about people. The organisation has one member, and its id is unique.

    The two logs have their first row, and its link, from the seed.
    """
    row, family = org.replace("-", "+"), "f" * 36
    hashed = org.ljust(64, "0")
    user = f"(SELECT user_id FROM memberships WHERE org_id = '{org}')"
    return {
        "roles": f"'{row}', '{org}', 'Auditor', '[\"audit:read\"]', 1",
        "teams": f"'{row}', '{org}', 'Search', 1",
        "team_members": f"'{org}', '{row}', {user}",
        "invitations (id, org_id, email, role, custom_role_id, invited_by_user_id, secret_hash, expires_at,"
        " accepted_at, revoked_at, created_at, updated_at)": f"'{row}', '{org}', 'new@x.example', 'viewer', '{row}',"
        f" {user}, '{hashed}', '{NOW}', NULL, NULL",
        "sessions (id, user_id, secret_hash, user_agent, address, seen_at, expires_at, revoked_at, created_at,"
        " updated_at)": f"'{row}', {user}, '{hashed}', 'a browser', '192.0.2.1', '{NOW}', '{NOW}', NULL",
        "refresh_tokens": f"'{row}', {user}, '{family}', '{org}', '{hashed}', '{NOW}', NULL, NULL",
        "revoked_tokens": f"{user}, '{hashed}', '{NOW}'",
        "mail_tokens (id, user_id, purpose, email, secret_hash, expires_at, used_at, created_at,"
        " updated_at)": f"'{row}', {user}, 'verify_email', 'new@x.example', '{hashed}', '{NOW}', NULL",
        "recovery_codes": f"{user}, '{hashed}', NULL",
        "logins": f"'{row}', {user}, '{hashed}', 'https://issuer.example', 'subject', NULL",
        "signing_keys": f"'{row}', 'ES256', '{{}}', 'sealed', '{NOW}', '{NOW}', '{NOW}'",
    }


def quoted_json() -> str:
    """A literal with a quote, a backslash, a semicolon at a line's end and letters beyond ASCII."""
    return "'" + json.dumps({"said": "it's; \\ é 🜁"}, ensure_ascii=False).replace("'", "''") + ";\n'"


# A member has a key of its own, beside the organisation's.
_WHICH = {"api_keys": " WHERE kind = 'server'"}
COUNTS = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table}{_WHICH.get(table, '')}) AS {table}" for table in TABLES)
