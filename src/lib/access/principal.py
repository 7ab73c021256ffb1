"""Who is calling, and the permissions there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Permission(StrEnum):
    """What a key may do. The names are part of the API: they are stored, and clients send them."""

    CHAT_WRITE = "chat:write"
    EMBEDDINGS_WRITE = "embeddings:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    KEYS_MINT = "keys:mint"
    USAGE_READ = "usage:read"
    LEDGER_READ = "ledger:read"
    LIMITS_READ = "limits:read"
    LIMITS_WRITE = "limits:write"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    ORGS_READ = "orgs:read"
    ORGS_WRITE = "orgs:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    INVITATIONS_READ = "invitations:read"
    INVITATIONS_WRITE = "invitations:write"
    ROLES_READ = "roles:read"
    ROLES_WRITE = "roles:write"
    TEAMS_READ = "teams:read"
    TEAMS_WRITE = "teams:write"
    AUDIT_READ = "audit:read"


ALL_SCOPES = tuple(Permission)
# A route's permission that every person has who has signed in, and no key.
SELF = "self"
# The active organisation, and the key, of a person who is in none.
NONE = ""
# What a key gets when its maker names no scopes: enough to call models, nothing that manages.
INFERENCE_SCOPES = (Permission.CHAT_WRITE, Permission.EMBEDDINGS_WRITE, Permission.MODELS_READ)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that has proved who it is. Times are UTC.

    A member's own calls are counted on the key `key_id` that was made with its membership, whatever it has signed in
    with. `session_id` is of its session, or of the family of its refresh tokens. `expires_at` is the end of a key: a
    person's rights do not end with a session, so a key that it makes may last longer than that.

    Calls count for the team and the person too that the key belongs to. `models`, `ip_ranges` and `origins` are what a
    key is bound to, None where it is not; `end_user` is for whom alone a browser's key is. `lacks_second_factor`: the
    organisation asks its members for codes at sign-in, and this person has none.

    What its calls count on, beside that: `line_id` is the first of the keys that replaced each other, where it is not
    the key itself; `makers` are those (see `lib.keys.lineage`) of the keys that it was made with, and `member_of`
    the teams that count what its person does, with a key or signed in: ids with a space between them.
    `suspended`: what the operator has suspended of the caller; then it has no scopes.
    """

    org_id: str
    key_id: str
    scopes: frozenset[str]
    expires_at: datetime | None
    user_id: str | None = None
    team_id: str | None = None
    role: str | None = None
    session_id: str | None = None
    kind: Literal["key", "browser_key", "token", "session", "operator"] = "key"
    models: frozenset[str] | None = None
    ip_ranges: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    end_user: str | None = None
    lacks_second_factor: bool = False
    line_id: str | None = None
    makers: str = ""
    member_of: str = ""
    suspended: Literal["organisation", "account"] | None = None

    @property
    def actor(self) -> str:
        """How logs name the caller."""
        return f"user:{self.user_id}" if self.is_person else f"key:{self.key_id}"

    @property
    def is_person(self) -> bool:
        """Tell whether this is somebody who has signed in, and not a key."""
        return self.user_id is not None and self.kind in ("token", "session")

    def may(self, permission: str) -> bool:
        """Tell whether the caller holds `permission`. Denied unless its key or its role says so."""
        if permission == SELF:
            return self.is_person and self.suspended != "account"
        return permission in self.scopes

    def expired(self, now: datetime) -> bool:
        """Tell whether the credential has run out at `now`."""
        return self.expires_at is not None and now >= self.expires_at
