"""The HTTP client towards providers, as the services see it. `lib.runtime` has the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from lib.gateway.streams.stream_text import StreamText
from lib.http.request import Departure
from lib.http.response import NativeBody

if TYPE_CHECKING:
    from lib.gateway.streams.hiding import HidingFilter


class ClientGone(Exception):
    """The client closed the connection; the call to the provider has been cancelled."""


class NeverAsked(ClientGone):
    """The client had left before the provider was called."""


class UpstreamUnreachable(Exception):
    """No answer: the connection failed, or broke off before the answer was whole."""


class UpstreamTimeout(Exception):
    """The provider did not answer within the time for one call."""


class AnswerTooLarge(Exception):
    """A whole (not streamed) answer passed the size limit."""


class StreamEnd(Enum):
    """How a stream ended. After the provider's own end, its text tells whether all was said."""

    PROVIDER_DONE = "provider_done"
    PROVIDER_BROKE_OFF = "provider_broke_off"
    TIMEOUT = "timeout"
    CLIENT_GONE = "client_gone"


class BufferedBody(NativeBody, Protocol):
    """A whole answer, held by the platform; `to_bytes` copies it into Python."""

    def to_bytes(self) -> bytes: ...


class StreamFilter(Protocol):
    """Changes an answer's bytes on their way; see `lib.gateway.streams.hiding`."""

    def feed(self, chunk: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class Sieve(Protocol):
    """Takes out of a stream what only we asked for.

    `marks` are the JSON of an object of three regular expressions, as JavaScript reads them. Until a read holds what
    `begun` finds, all of it goes on as it comes. From then on whole events are looked at: each in which `member` is
    found is sifted. Once `running` is true, only where `among` is not found.
    """

    @property
    def marks(self) -> str: ...

    @property
    def running(self) -> bool: ...

    def rest_of(self, event: bytes, already: int) -> bytes | None:
        """Return what is to go out of an event of which so much has gone out already; None: all the rest of it."""
        ...


# Given how the stream ended, what the client has of an unfinished event, and what it has not: the bytes to send last.
Ending = Callable[[StreamEnd, bytes, bytes], bytes]


class Relay(Protocol):
    """A stream on its way to the client. `body` is the answer's body; `finished` runs until the stream's end."""

    @property
    def body(self) -> NativeBody: ...

    async def finished(self, cut: Callable[[StreamEnd], object]) -> None:
        """Run until the stream's end. `cut` is told the moment that the call has to end, where the text is known."""
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """How an answer ended that was not held, its first and its last bytes, and how many there were."""

    end: StreamEnd
    head: bytes
    tail: bytes
    size: int


class Passage(Protocol):
    """A whole answer on its way to the client that is too large to hold. `body` is the answer's body."""

    @property
    def body(self) -> NativeBody: ...

    async def finished(self, cut: Callable[[Ends], None]) -> None:
        """Run until its end. `cut` is told what is known the moment that the call has to end, and before the last byte
        leaves. A body that breaks off ends so that the client sees it.
        """
        ...


class UpstreamAnswer(Protocol):
    """A provider's answer, its body unread."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers, names in lower case."""
        ...

    async def read(self, limit: int) -> BufferedBody:
        """Read the body whole. Raises AnswerTooLarge, ClientGone, UpstreamTimeout or UpstreamUnreachable."""
        ...

    async def hold(self, limit: int, held: Callable[[int], None]) -> BufferedBody | None:
        """Read the body whole, if it is no longer than `limit`. None: it is, and `passage` hands it on.

        `held` is told how many bytes it comes to take in memory, where that is much.

        Raises ClientGone, UpstreamTimeout or UpstreamUnreachable.
        """
        ...

    def passage(self, stream_filter: StreamFilter | None) -> Passage:
        """Hand on as it comes what was too long to hold, through the filter."""
        ...

    def relay(self, heard: StreamText, ending: Ending, sieve: Sieve | None, hiding: HidingFilter | None) -> Relay:
        """Hand the body on as it comes, through the two where there are any.

        `heard` has the text before `ending` is asked.
        """
        ...

    async def discard(self) -> None:
        """Cancel what has not been read."""
        ...


class Upstream(Protocol):
    """Calls a provider. The call ends at once when the client leaves."""

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, client: Departure, timeout_seconds: int
    ) -> UpstreamAnswer:
        """Return the answer once its headers are there.

        Raises ClientGone (NeverAsked where nothing was sent), UpstreamTimeout or UpstreamUnreachable.
        """
        ...
