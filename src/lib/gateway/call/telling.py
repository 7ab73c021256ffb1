"""What a client is told of its call's cost: in headers of a whole answer, or, if it asks, behind a stream."""

from __future__ import annotations

from typing import NamedTuple

from lib.http.request import Headers
from lib.kernel import json_body
from lib.kernel.errors import BadRequest

COST = "x-headgate-cost"
REMAINING = "x-headgate-budget-remaining"
STREAM_COST = "x-headgate-stream-cost"


class Charge(NamedTuple):
    """What a call is charged, in nano-dollars: None, where nobody knows its price.

    `remaining` is what is left of the caller's tightest hard budget then, None where it has none: as of the call's
    admission, but without what it did not use of its bound. Other calls that came meanwhile are not in it.
    """

    cost: int | None
    remaining: int | None
    estimated: bool

    def headers(self) -> dict[str, str]:
        """Return the headers that tell it."""
        told = {} if self.cost is None else {COST: str(self.cost)}
        if self.remaining is not None:
            told[REMAINING] = str(self.remaining)
        return told

    def event(self) -> bytes:
        """Return the event that tells it."""
        told = {
            "cost_nano_usd": self.cost,
            "budget_remaining_nano_usd": self.remaining,
            "estimated": self.estimated,
        }
        return b"event: headgate.cost\ndata: " + json_body.dump(told) + b"\n\n"


def wants_cost_event(headers: Headers) -> bool:
    """Tell whether a client asks for the event behind its stream. Raises BadRequest."""
    wanted = headers.get(STREAM_COST)
    if wanted not in (None, "true", "false"):
        raise BadRequest(f"`{STREAM_COST}` is true or false.", param=STREAM_COST)
    return wanted == "true"
