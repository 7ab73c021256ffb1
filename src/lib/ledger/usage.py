"""What one call has used, what that costs, and why it ended. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import reduce
from operator import attrgetter
from typing import Any, NamedTuple


@dataclass(frozen=True, init=False, repr=False, eq=False)  # its subclasses' own do all that
class TokenCounts:
    """The columns of tokens that a record of a call has, and the sum of a day. A field of `Usage` stands behind each.

    From here the statements, the sums, the export and the API have them: docs/ledger.md says how one is added.
    """

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int


TOKENS = tuple(column.name for column in fields(TokenCounts))
NO_TOKENS: Mapping[str, Any] = dict.fromkeys(TOKENS, 0)


class Usage(NamedTuple):
    """Tokens of one call. `cached_input` and `cache_write` are parts of `input`, `reasoning` a part of `output`.

    `tier` is the service tier that the provider says it has billed; None where it says nothing.
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    reasoning: int = 0
    cache_write: int = 0
    tier: str | None = None


# The counts of a `Usage` in the order of TOKENS.
counts_of = attrgetter(*(name.removesuffix("_tokens") for name in TOKENS))


class Rates(NamedTuple):
    """Nano-dollars a token: of input, of output, of input read from a cache, and of input written to one."""

    input: int
    output: int
    cached_input: int
    cache_write: int

    def dearest(self, other: Rates) -> Rates:
        """Return the dearer of two, number by number."""
        return Rates(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cached_input, other.cached_input),
            max(self.cache_write, other.cache_write),
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a service tier costs. `long` is for all tokens of a call whose input is longer than `Price.long_after`."""

    usual: Rates
    long: Rates | None = None


# What a request without a tier gets, and what a provider calls that. `scale` is paid beforehand; its overflow is not.
USUAL_TIERS = (None, "auto", "default", "standard", "scale")


FLEX = "flex"  # never dearer than the usual one, so that the usual price is its bound too


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token, whole numbers. `version` names the table or the row that it comes from.

    `per_request` is what each finished call costs in addition to its tokens, where its owner has set that.
    `cache_write` is None where writing to a cache costs nothing more. `tiers` are the other service tiers that have a
    price, and `long` what the usual tier costs after `long_after` tokens of input: only a provider's own prices have
    those.
    """

    input: int
    output: int
    cached_input: int | None
    version: str
    per_request: int | None = None
    cache_write: int | None = None
    long_after: int | None = None
    long: Rates | None = None
    tiers: Mapping[str, Tariff] = field(default_factory=dict)

    def cost(self, usage: Usage) -> int:
        """Return the price of the tokens alone, in nano-dollars. Exact: integers only."""
        rates = self.billed(usage.tier, usage.input)
        cached = min(usage.cached_input, usage.input)
        written = min(usage.cache_write, usage.input - cached)
        rest = usage.input - cached - written
        paid = rest * rates.input + cached * rates.cached_input + written * rates.cache_write
        return paid + usage.output * rates.output

    def billed(self, tier: str | None, input_tokens: int) -> Rates:
        """Return what the tokens of a call cost that was billed at `tier`: at one without a price, the dearest."""
        if not self.tiers and self.long is None:
            return self._usual
        tariffs = [Tariff(self._usual, self.long)]
        if tier is not None and tier in self.tiers:
            tariffs = [self.tiers[tier]]
        elif tier not in USUAL_TIERS and tier != FLEX:
            tariffs += self.tiers.values()
        return reduce(Rates.dearest, (self._rates(tariff, input_tokens) for tariff in tariffs))

    def most(self, tier: str | None, input_tokens: int | None) -> Rates | None:
        """Return what a token costs at most in a call that asks for `tier`, of at most so much input, None for any.

        None for a tier without a price. A provider that has no room in the tier may take the usual one. It may count
        less input than the bound, and so charge the prices of a short call.
        """
        tariffs = [Tariff(self._usual, self.long)]
        if tier not in USUAL_TIERS and tier != FLEX:
            if tier not in self.tiers:
                return None
            tariffs.append(self.tiers[tier])
        rates = [tariff.usual for tariff in tariffs] + [self._rates(tariff, input_tokens) for tariff in tariffs]
        return reduce(Rates.dearest, rates)

    @property
    def _usual(self) -> Rates:
        cached = self.input if self.cached_input is None else self.cached_input
        return Rates(self.input, self.output, cached, self.input if self.cache_write is None else self.cache_write)

    def _rates(self, tariff: Tariff, input_tokens: int | None) -> Rates:
        """Return a tariff's rates for so much input, None for any. One without prices for long calls costs no less."""
        if input_tokens is not None and (self.long_after is None or input_tokens <= self.long_after):
            return tariff.usual
        return tariff.long or (tariff.usual.dearest(self.long) if self.long else tariff.usual)


class Cause(StrEnum):
    """Why a call ended. Stored on its usage record."""

    FINISHED = "finished"
    CLIENT_GONE_BEFORE_FIRST_BYTE = "client_gone_before_first_byte"
    CLIENT_GONE_MID_STREAM = "client_gone_mid_stream"
    CLIENT_GONE_NON_STREAMING = "client_gone_non_streaming"
    UPSTREAM_REFUSED = "upstream_refused"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_BROKE_OFF = "upstream_broke_off"
    LOST = "lost"
