"""The record of one request to a model: what the ledger keeps."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import to_json

from lib.kernel.altered import altered
from lib.ledger.usage import TOKENS, Cause, Price, TokenCounts, Usage, counts_of

# What the store can hold: nine million dollars in one call. Who gets there has been told nonsense by a provider.
MOST_COST = 2**53 - 1


@dataclass(frozen=True)  # no slots: see `altered`
class UsageRecord(TokenCounts):
    """One row of `usage_records`, field by column. Durations are milliseconds, money is nano-dollars.

    `started_at` is the store's text of a time: the record is written twice for each request, so it is kept cheap.
    """

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
    cost_nano_usd: int | None
    price_version: str | None
    first_byte_ms: int | None
    duration_ms: int
    started_at: str
    team_id: str | None = None
    user_id: str | None = None
    end_user: str | None = None

    def ended(
        self,
        cause: Cause,
        usage: Usage,
        price: Price | None,
        *,
        provider: str,
        upstream_model: str,
        status: int | None,
        estimated: bool,
        first_byte_ms: int | None,
        duration_ms: int,
    ) -> UsageRecord:
        """Return the record of the same request at its end."""
        return altered(
            self,
            cause=cause.value,
            provider=provider,
            upstream_model=upstream_model,
            status=status,
            estimated=estimated,
            cost_nano_usd=_cost(price, usage, cause) if price else None,
            price_version=price.version if price else None,
            first_byte_ms=first_byte_ms,
            duration_ms=duration_ms,
            **dict(zip(TOKENS, counts_of(usage), strict=True)),
        )

    def to_json(self) -> str:
        """Return the record as the store's JSON: an object with a member per column."""
        return to_json(self).decode()


def _cost(price: Price, usage: Usage, cause: Cause) -> int:
    """Return what a call costs, its own price included where the provider has worked for it."""
    call = (price.per_request or 0) if cause not in (Cause.UPSTREAM_REFUSED, Cause.UPSTREAM_UNREACHABLE) else 0
    return min(price.cost(usage) + call, MOST_COST)
