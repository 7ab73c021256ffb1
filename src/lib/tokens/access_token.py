"""What an access token says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from lib.kernel.ids import milliseconds_of


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says. `org_id` is "" where the person is active in none; `family_id` is of its refresh tokens."""

    user_id: str
    org_id: str
    scopes: frozenset[str]
    family_id: str
    jti: str
    expires_at: datetime

    @property
    def jti_hash(self) -> str:
        """By what it is revoked."""
        return hashlib.sha256(self.jti.encode()).hexdigest()

    @property
    def made_at(self) -> datetime:
        """When it was made, to the millisecond: `iat` is in seconds, which is too coarse to tell what came first."""
        return datetime.fromtimestamp((milliseconds_of(self.jti) or 0) / 1000, UTC)
