"""The gateway's values: tokens, prices, and where a model's requests go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cached_input` is a part of `input`, `reasoning` a part of `output`."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token, whole numbers. `version` names the table or the row that it comes from.

    `per_request` is what each finished call costs in addition to its tokens, where its owner has set that.
    """

    input: int
    output: int
    cached_input: int | None
    version: str
    per_request: int | None = None

    def cost(self, usage: Usage) -> int:
        """Return the price of the tokens alone, in nano-dollars. Exact: integers only."""
        cached = min(usage.cached_input, usage.input)
        cached_price = self.input if self.cached_input is None else self.cached_input
        return (usage.input - cached) * self.input + cached * cached_price + usage.output * self.output


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """An organisation's own name for a model: the provider and model behind it, and its price, if it set one."""

    id: str
    provider: str
    upstream_model: str
    price: Price | None


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


class Completion(Enum):
    """How far a stream's text goes: to its end mark, to a reason to finish for each choice, to an error event of the
    provider's own, or it just stops.
    """

    MARKED = "marked"
    WHOLE = "whole"
    FAILED = "failed"
    TRUNCATED = "truncated"
