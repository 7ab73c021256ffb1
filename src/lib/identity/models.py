"""Who is calling, and the permissions there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
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


ALL_SCOPES = tuple(Scope)
# What a key gets when its maker names no scopes: enough to call models, nothing that manages.
INFERENCE_SCOPES = (Scope.CHAT_WRITE, Scope.EMBEDDINGS_WRITE, Scope.MODELS_READ)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that has proved who it is. Times are UTC.

    Its calls count for `key_id`, and for the team and the person that the key belongs to. `models`, `ip_ranges` and
    `origins` are what the key is bound to, None where it is not; `end_user` is for whom alone a browser's key is.
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

    def may(self, permission: str) -> bool:
        """Tell whether the caller holds `permission`. Denied unless its key says so."""
        return permission in self.scopes

    def expired(self, now: datetime) -> bool:
        """Tell whether the credential has run out at `now`."""
        return self.expires_at is not None and now >= self.expires_at
