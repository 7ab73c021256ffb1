"""The gateway's values: tokens, prices, and where a model's requests go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import reduce
from typing import Literal, NamedTuple

# Reasoning models of OpenAI's take the second alone; many servers know the first alone.
OutputField = Literal["max_tokens", "max_completion_tokens"]


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


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens that a model takes and gives in one call, each choice for itself; None where nobody told.

    Many models have one context for both. What is put in for a client heeds that; so `most_input` is taken for it.
    """

    most_input: int | None = None
    most_output: int | None = None

    def over(self, other: Limits) -> Limits:
        """Return these, with what `other` tells where they are silent."""
        return Limits(
            other.most_input if self.most_input is None else self.most_input,
            other.most_output if self.most_output is None else self.most_output,
        )


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ImageRule:
    """The most tokens of an image, whatever its size, by its detail. `auto`, and no detail, may be any of them."""

    low: int
    high: int
    original: int

    def most(self, detail: object) -> int | None:
        """Return the most tokens of one image, or None for a detail that is not known."""
        if detail is None or detail == "auto":
            return max(self.low, self.high, self.original)
        return {"low": self.low, "high": self.high, "original": self.original}.get(str(detail))


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a provider knows of one of its models: what its tokens cost, what it takes and gives, how many tokens an
    image is to it, each None where nobody knows; and where it differs from its wire format.

    `output_field` is the field that limits an answer's length; None: the format tells by the model's name.
    `tells_usage`: a stream tells its usage unasked, and to ask for it is refused.
    """

    price: Price | None = None
    limits: Limits = NO_LIMITS
    image_rule: ImageRule | None = None
    output_field: OutputField | None = None
    tells_usage: bool = False


NO_FACTS = ModelFacts()


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """An organisation's own name for a model: the provider and model behind it, and what it has said of it.

    Its price, its limits, and which field limits an answer's length (`OutputField`), each None where it said nothing.
    """

    id: str
    provider: str
    upstream_model: str
    price: Price | None
    limits: Limits = NO_LIMITS
    output_field: OutputField | None = None


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


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the begin of a long stream has told, whose text is no longer kept.

    The last usage that it told; of each choice that it began whether it told why that finished; and the events with
    content and the bytes that they said, both counted by samples.
    """

    usage: Usage | None = None
    choices: Mapping[str, bool] = field(default_factory=dict)
    events: int = 0
    said: int = 0


NOTHING_EARLIER = Earlier()


class Completion(Enum):
    """How far a stream's text goes: to its end mark, to a reason to finish for each choice, to an error event of the
    provider's own (`REFUSED`, where no choice had begun before), or it just stops.
    """

    MARKED = "marked"
    WHOLE = "whole"
    FAILED = "failed"
    REFUSED = "refused"
    TRUNCATED = "truncated"
