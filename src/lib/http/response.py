"""What goes out: one answer, and what remains to be done and told after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

LogFacts = Mapping[str, object]
Finish = Callable[[], Awaitable[LogFacts]]
# For what is done when a whole answer has left. The platform ends it 30 s after that, without a word
# (https://developers.cloudflare.com/workers/platform/limits/#duration); this leaves time to tell what was not done.
AFTERWARDS_SECONDS = 25


class NativeBody(Protocol):
    """A body that the platform holds (a stream, or a buffer) and that Python does not read."""

    @property
    def native(self) -> object: ...


_NOTHING: Mapping[str, str] = MappingProxyType({})


class Response(NamedTuple):
    """One answer. Header names are lower case. `cookies` are more values of `set-cookie`: there may be several of it.

    `facts` go on the request's log line. `finish`, when there is one, runs after the answer has begun; it returns more
    facts, and the log line waits for it. The platform keeps the request alive until it is done.
    """

    status: int
    headers: Mapping[str, str] = _NOTHING
    body: bytes | NativeBody | None = None
    facts: LogFacts = _NOTHING
    finish: Finish | None = None
    cookies: Sequence[str] = ()
