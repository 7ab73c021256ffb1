"""Where a call may go, and what came of going there: plan, candidates, attempts and outcomes.

Today a plan has one candidate, and a call makes one attempt. Retries, fail-over and hedging change who makes attempts
(`call.py`), and nothing at the gate: a call is reserved once, for the dearest way through its plan (`asking` bounds
it), and settled once. Nothing of one attempt is in another, also where two run side by side. A call is closed with
the outcome of the attempt whose answer its client gets, or of the last one; what others are charged for (one that ran
out of time is) is to be added where the record is made, in `Settlement`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from lib.gateway.bounds import Bound
from lib.gateway.catalogue import Candidate
from lib.kernel.errors import NotFound
from lib.ledger.usage import Cause, Usage

# What a model that thinks unseen is taken to make: about what the fast ones do.
UNSEEN_TOKENS_PER_SECOND = 100


class Plan(NamedTuple):
    """The candidates of a call, in the order in which they are tried; there is one at least.

    `model` is the name that counts: what the client named, as a whole. The gate has the first one's record until the
    call is settled: that is charged where nobody ever tells.
    """

    model: str
    candidates: tuple[Candidate, ...]


def plan(wire: str, model: str, candidates: Iterable[Candidate]) -> Plan:
    """Return the plan of a call in a wire format. Raises NotFound where no candidate's provider offers that."""
    speaking = tuple(each for each in candidates if wire in each.provider.speaks)
    if not speaking:
        raise NotFound("The provider of this model does not offer this API.", code="unsupported_model", param="model")
    return Plan(model, speaking)


class Call(NamedTuple):
    """What the settlement must know of a request to a model. `input_estimate` is in tokens.

    `id` is the request's own: at most one record comes of one request. `bound` works out what it may take at most;
    `end_user` is whom the client makes it for, "" where that is no text; `tier` is the service tier that it asks for;
    `reasons` tells of a provider's model whether it thinks unseen.
    """

    id: str
    endpoint: str
    streamed: bool
    input_estimate: int
    bound: Callable[[], Bound]
    end_user: str | None = None
    tier: str | None = None
    reasons: Callable[[str], bool] = lambda _model: False


class Attempt:
    """One try of one candidate. `elapsed_ms` tells how long the call has lasted.

    `first_byte_ms` is when its provider began to answer, None before that.
    """

    first_byte_ms: int | None = None

    def __init__(self, call: Call, candidate: Candidate, elapsed_ms: Callable[[], int]) -> None:
        self.candidate = candidate
        self._call = call
        self._elapsed_ms = elapsed_ms

    def answered(self) -> None:
        """Note that the provider has begun to answer."""
        self.first_byte_ms = self._elapsed_ms()

    def estimate(self, output: int) -> Usage:
        """Return what it has used, as far as can be told without the provider, for so many tokens that were said.

        A model that thinks unseen has worked all the time.
        """
        unseen = 0
        if self._call.reasons(self.candidate.upstream_model):
            unseen = max(0, self._elapsed_ms() * UNSEEN_TOKENS_PER_SECOND // 1000 - output)
        return Usage(input=self._call.input_estimate, output=output + unseen, reasoning=unseen)


class Outcome(NamedTuple):
    """How an attempt ended, with what it used. `status` is the provider's, None where it has not answered."""

    attempt: Attempt
    cause: Cause
    usage: Usage
    status: int | None
    estimated: bool
