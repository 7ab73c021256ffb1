"""What the gateway asks of a wire format. A format is one record of pure functions, and one line in a route.

docs/adding-a-format.md tells how to add one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from lib.gateway.bounds import Bound
from lib.gateway.models import Completion, Earlier, ModelFacts
from lib.gateway.streams.upstream import Sieve
from lib.http.dialect import Dialect
from lib.ledger.usage import Usage

Body = TypeVar("Body")
Json = dict[str, object]


class Facts(NamedTuple):
    """What a request says of itself. `input_estimate` is in tokens, rough, for a call whose provider never told.

    `end_user` is whom the client makes it for, NAMELESS where that is no text; `tier` the service tier that it asks
    for. `wants_usage`: the client asked for the usage of its stream.
    """

    model: str
    streamed: bool
    input_estimate: int
    end_user: str | None
    tier: str | None = None
    wants_usage: bool = False


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """How to read a format's streams, and how to end one.

    The first four read text of whose begin nothing may be left but what `condense` has told. `sieve` takes out what
    only we asked for. `held_mark` returns what may still go out, of an event of which nothing has, at the end of a
    stream that is whole; `broken` what ends one that is not: given what the client has of the event under way, a
    message and a code.
    """

    usage: Callable[[bytes, Earlier], Usage | None]
    output_estimate: Callable[[bytes, Earlier], int]
    completion: Callable[[bytes, Earlier], Completion]
    condense: Callable[[Earlier, bytes], Earlier]
    sieve: Callable[[], Sieve]
    held_mark: Callable[[bytes], bytes]
    broken: Callable[[bytes, str, str], bytes]


@dataclass(frozen=True, slots=True)
class Format(Generic[Body]):
    """A wire format: `name` is what usage records call it, and by which providers say that they speak it;
    `dialect` is how its API speaks beside it.

    Of a request, whose JSON and model (`Body`) it is given: `facts`; `written`, the body for a provider's model;
    `bound`, the most that a call may use, where the body was written so (BadRequest where a number that decides it is
    none); and `granted`, that body with the most output tokens of a choice put in, where its client set no limit.

    Of an answer, by its bytes: `usage`; `output_estimate`, its output tokens where it does not tell; `told_error`,
    whether it is an error whatever its status. `error` makes an error's body, of a message, a type and a code.
    `reasons_unseen` tells of a provider's model whether it thinks without showing it. `stream` is None where nothing is
    streamed.
    """

    name: str
    dialect: Dialect
    facts: Callable[[Body, Json], Facts]
    written: Callable[[Json, str, ModelFacts], bytes]
    bound: Callable[[Body, Json, bytes, str, ModelFacts], Bound]
    granted: Callable[[bytes, Json, str, ModelFacts, int], bytes]
    usage: Callable[[bytes], Usage | None]
    output_estimate: Callable[[bytes], int]
    told_error: Callable[[bytes], bool]
    error: Callable[[str, str, str], bytes]
    stream: StreamFormat | None = None
    has_output: bool = True
    reasons_unseen: Callable[[str], bool] = lambda _model: False


@dataclass(slots=True)
class Writing(Generic[Body]):
    """A request's body for the provider: written once, when it is first needed, to be measured or to be sent."""

    wire: Format[Body]
    body: Body
    json: Json
    model: str  # the provider's own name of it
    known: ModelFacts
    _written: bytes | None = None

    def bound(self) -> Bound:
        """Return the most that the call may use. Raises BadRequest."""
        self._written = written = self.wire.written(self.json, self.model, self.known)
        return self.wire.bound(self.body, self.json, written, self.model, self.known)

    def text(self, output: int | None) -> bytes:
        """Return the body, with the most output tokens of a choice that were granted; it is kept no longer."""
        written, self._written = self._written or self.wire.written(self.json, self.model, self.known), None
        return written if output is None else self.wire.granted(written, self.json, self.model, self.known, output)
