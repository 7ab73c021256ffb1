"""Made by tools/row_types.py from migrations/*.sql; don't edit. `make types` makes it anew.

A row of each table as the store decodes it, columns in the table's order, and whose rows they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A row of `api_keys`."""

    id: str
    org_id: str
    created_by_key_id: str | None
    name: str
    prefix: str
    secret_hash: str
    scopes: frozenset[str]
    version: int
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by_key_id: str | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    kind: str
    user_id: str | None
    team_id: str | None
    model_names: frozenset[str] | None
    ip_ranges: frozenset[str] | None
    origins: frozenset[str] | None
    end_user: str | None
    leaked_at: datetime | None
    line_key_id: str | None
    maker_line_ids: str | None
    holder_key_id: str | None
    maker_holder_ids: str | None
    org_suspended_at: datetime | None
    person_suspended_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditEventRow:
    """A row of `audit_events`."""

    org_id: str
    seq: int
    id: str
    action: str
    actor: str
    target: str | None
    result: str
    address: str | None
    request_id: str | None
    details: str
    previous_hash: str
    hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AuditLinkRow:
    """A row of `audit_links`."""

    org_id: str
    seq: int
    previous_hash: str
    hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BudgetAdjustmentRow:
    """A row of `budget_adjustments`."""

    id: str
    org_id: str
    budget_id: str
    kind: str
    amount_nano_usd: int
    note: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A row of `budgets`."""

    id: str
    org_id: str
    scope_type: str
    scope_id: str
    scope_model: str | None
    spend_window: str
    limit_nano_usd: int
    mode: str
    version: int
    created_at: datetime
    updated_at: datetime
    name: str | None
    covers: str


@dataclass(frozen=True, slots=True)
class IdempotentAnswerRow:
    """A row of `idempotent_answers`."""

    org_id: str
    key_hash: str
    request_hash: str
    answer: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """A row of `invitations`."""

    id: str
    org_id: str
    email: str
    role: str
    custom_role_id: str | None
    invited_by_user_id: str | None
    secret_hash: str
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime
    mailed: bool
    invited_by_key_id: str | None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A row of `limits`."""

    id: str
    org_id: str
    scope_type: str
    scope_id: str
    scope_model: str | None
    unit: str
    amount: int
    window_seconds: int | None
    burst: int | None
    version: int
    created_at: datetime
    updated_at: datetime
    name: str | None
    covers: str


@dataclass(frozen=True, slots=True)
class LoginRow:
    """A row of `logins`."""

    id: str
    user_id: str
    secret_hash: str
    issuer: str
    subject: str
    email: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class MailTokenRow:
    """A row of `mail_tokens`."""

    id: str
    user_id: str
    purpose: str
    email: str
    secret_hash: str
    expires_at: datetime
    used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A row of `memberships`."""

    org_id: str
    user_id: str
    role: str
    created_at: datetime
    updated_at: datetime
    custom_role_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ModelPriceRow:
    """A row of `model_prices`."""

    id: str
    org_id: str
    input_nano_usd_per_token: int
    output_nano_usd_per_token: int
    cached_input_nano_usd_per_token: int | None
    created_at: datetime
    updated_at: datetime
    per_request_nano_usd: int | None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of `models`."""

    org_id: str
    id: str
    provider: str
    upstream_model: str
    price_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    max_output_tokens: int | None
    context_tokens: int | None
    output_limit_field: str | None


@dataclass(frozen=True, slots=True)
class OrgRow:
    """A row of `orgs`."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    time_zone: str
    version: int
    second_factor_required_at: datetime | None
    suspended_at: datetime | None
    admission: str


@dataclass(frozen=True, slots=True)
class PersonEventRow:
    """A row of `person_events`."""

    user_id: str
    seq: int
    id: str
    action: str
    actor: str
    target: str | None
    result: str
    address: str | None
    request_id: str | None
    details: str
    previous_hash: str
    hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PersonLinkRow:
    """A row of `person_links`."""

    user_id: str
    seq: int
    previous_hash: str
    hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RecoveryCodeRow:
    """A row of `recovery_codes`."""

    user_id: str
    code_hash: str
    used_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshTokenRow:
    """A row of `refresh_tokens`."""

    id: str
    user_id: str
    family_id: str
    active_org_id: str | None
    secret_hash: str
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RevokedTokenRow:
    """A row of `revoked_tokens`."""

    user_id: str
    jti_hash: str
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A row of `roles`."""

    id: str
    org_id: str
    name: str
    permissions: frozenset[str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of `sessions`."""

    id: str
    user_id: str
    secret_hash: str
    active_org_id: str | None
    user_agent: str | None
    address: str | None
    seen_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A row of `signing_keys`."""

    id: str
    algorithm: str
    public_jwk: str
    private_sealed: str
    signs_from_at: datetime
    signs_until_at: datetime
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TeamMemberRow:
    """A row of `team_members`."""

    org_id: str
    team_id: str
    user_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A row of `teams`."""

    id: str
    org_id: str
    name: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class UsageDayRow:
    """A row of `usage_days`."""

    org_id: str
    day: str
    model: str
    key_id: str
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    estimated_requests: int
    unpriced_requests: int
    created_at: datetime
    updated_at: datetime
    provider: str
    team_id: str
    user_id: str
    end_user: str


@dataclass(frozen=True, slots=True)
class UsageMarkRow:
    """A row of `usage_marks`."""

    org_id: str
    summed_until: str
    pruned_until: str
    created_at: datetime
    updated_at: datetime
    piece_ends_at: datetime | None
    unsummed_at: datetime | None
    oldest_at: datetime | None
    moves: int


@dataclass(frozen=True, slots=True)
class UsageObjectRow:
    """A row of `usage_objects`."""

    org_id: str
    day: str
    name: str
    first_at: datetime
    last_at: datetime
    low_id: str
    high_id: str
    records: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class UsageRecordRow:
    """A row of `usage_records`."""

    id: str
    org_id: str
    key_id: str
    endpoint: str
    model: str
    provider: str
    upstream_model: str
    streamed: bool
    cause: str
    status: int | None
    estimated: bool
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int | None
    price_version: str | None
    first_byte_ms: int | None
    duration_ms: int
    started_at: datetime
    created_at: datetime
    updated_at: datetime
    team_id: str | None
    user_id: str | None
    end_user: str | None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row of `users`."""

    id: str
    email: str
    name: str
    password_hash: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    email_verified_at: datetime | None
    totp_sealed: str | None
    totp_confirmed_at: datetime | None
    totp_step: int | None
    signed_out_at: datetime | None
    deleted_at: datetime | None
    epoch: int
    vouched_at: datetime | None
    suspended_at: datetime | None


# The tables whose rows belong to an organisation, and the column that names it.
TENANT_COLUMNS: Mapping[str, str] = {
    "api_keys": "org_id",
    "audit_events": "org_id",
    "audit_links": "org_id",
    "budget_adjustments": "org_id",
    "budgets": "org_id",
    "idempotent_answers": "org_id",
    "invitations": "org_id",
    "limits": "org_id",
    "memberships": "org_id",
    "model_prices": "org_id",
    "models": "org_id",
    "orgs": "id",
    "roles": "org_id",
    "team_members": "org_id",
    "teams": "org_id",
    "usage_days": "org_id",
    "usage_marks": "org_id",
    "usage_objects": "org_id",
    "usage_records": "org_id",
}
# The tables whose rows belong to a person, and the column that names it.
PERSON_COLUMNS: Mapping[str, str] = {
    "logins": "user_id",
    "mail_tokens": "user_id",
    "memberships": "user_id",
    "person_events": "user_id",
    "person_links": "user_id",
    "recovery_codes": "user_id",
    "refresh_tokens": "user_id",
    "revoked_tokens": "user_id",
    "sessions": "user_id",
    "users": "id",
}
