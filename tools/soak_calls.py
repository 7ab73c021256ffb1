"""The calls of a soak: what each asks for, how its client behaves, and what came of it. Bare HTTP/1.1 over asyncio."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

INPUT, CACHED, OUTPUT = 100, 50, 400  # what the simulated provider's models cost, in nano-dollars a token
# More than Headgate's own bound adds to the bytes of a body (lib/gateway/bounds*.py).
SPARE_TOKENS = 200
CALL_SECONDS = 60.0
TIMEOUT_SECONDS = 10  # UPSTREAM_TIMEOUT_SECONDS of a soak
GRACE_SECONDS = 60  # a reservation's time beyond the provider's: lib/gateway/call/settlement.py
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """One way in which a call goes. `most` is the model's longest answer in tokens; `asks` what the client sets as its
    maximum.
    """

    weight: int
    model: str
    most: int
    asks: int | None = None
    stream: bool = False
    usage: bool = False

    def tagged(self, tag: str) -> Kind:
        """Return the same under another name, by which the provider tells apart who calls it; "" for none."""
        return replace(self, model=self.model.replace("sim/", f"sim/{tag}", 1))


KINDS = (
    Kind(300, "sim/whole-chunks8", 8, asks=8),
    Kind(100, "sim/whole-chunks9", 9),
    Kind(40, "sim/long-chunks200", 200),
    Kind(40, "sim/silent-chunks8-nousage", 8, asks=8),
    Kind(150, "sim/told-chunks12-gap2", 12, asks=20, stream=True, usage=True),
    Kind(70, "sim/told-chunks30", 30, stream=True, usage=True),
    Kind(80, "sim/untold-chunks12", 12, stream=True),
    Kind(30, "sim/choices-chunks5", 5, asks=5, usage=True, stream=True),
    Kind(60, "sim/early-lat400-chunks20", 20, stream=True),
    Kind(60, "sim/middle-chunks60-gap10", 60, stream=True),
    Kind(40, "sim/ahead-chunks200-gap2", 200, stream=True, usage=True),
    Kind(60, "sim/wait-lat400-chunks6", 6),
    Kind(20, "sim/bad-err500", 10),
    Kind(15, "sim/busy-err503", 10, asks=10),
    Kind(15, "sim/late-chunks9-late3", 9, stream=True),
    Kind(8, "sim/late-chunks9-late4", 9),
    Kind(15, "sim/cut-chunks9-cut3", 9, stream=True, usage=True),
    Kind(8, "sim/cut-chunks9-cut4", 9),
    Kind(3, "sim/stuck-chunks9-stall2", 9, stream=True),
    Kind(3, "sim/slow-lat30000", 10, asks=10),
)
RETRIED = KINDS[0]  # what a client asks after a provider's 503
# Of a third of the calls the client leaves at a random moment, if it has not ended by then.
LEAVING = 1 / 3
FIRST_GUESS_SECONDS = 0.5  # how long a call lasts, until one of its kind has ended
STATUSES_TO_RETRY = (502, 503)
MOST_TRIES = 6


@dataclass
class Outcome:
    """What came of one call, as its client saw it. `id` is empty where no head of an answer came."""

    key: str
    kind: Kind
    bound: int
    began: float
    id: str = ""
    status: int = 0
    end: str = "broken"  # "whole", "left", "broken" or "hung"
    headers: dict[str, str] = field(default_factory=dict)
    error: Json = field(default_factory=dict)
    usage: Json | None = None
    ended: float = 0.0

    @property
    def to_retry(self) -> bool:
        """Tell whether a client tries again: what it asked for was not there, or nothing came."""
        return self.status in STATUSES_TO_RETRY or (not self.status and self.end == "broken")

    @property
    def provider_cost(self) -> int | None:
        """What the provider says that it served; None where it did not say."""
        return None if self.usage is None else cost_of(self.usage)


def cost_of(usage: Json) -> int:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return int((usage["prompt_tokens"] - cached) * INPUT + cached * CACHED + usage["completion_tokens"] * OUTPUT)


def tokens_cost(counts: Json) -> int:
    """What the provider's own counts come to."""
    return int(counts.get("prompt_tokens", 0) * INPUT + counts.get("completion_tokens", 0) * OUTPUT)


def kind_of(model: str, tags: Iterable[str]) -> Kind:
    """Return the kind of the calls of a model, whoever makes them."""
    return next(kind for kind in KINDS for tag in ("", *tags) if kind.tagged(tag).model == model)


def chosen(chance: random.Random) -> Kind:
    return chance.choices(KINDS, [kind.weight for kind in KINDS])[0]


def body_of(kind: Kind) -> bytes:
    body: Json = {"model": kind.model, "messages": [{"role": "user", "content": "Say hello."}]}
    if kind.asks is not None:
        body["max_tokens"] = kind.asks
    if kind.stream:
        body["stream"] = True
        if kind.usage:
            body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def bound_of(kind: Kind) -> int:
    """No less than Headgate's upper bound of what the call costs."""
    output = kind.most if kind.asks is None else min(kind.asks, kind.most)
    return (len(body_of(kind)) + SPARE_TOKENS) * INPUT + output * OUTPUT


def request_bytes(method: str, path: str, key: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: headgate", f"authorization: Bearer {key}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["content-type: application/json"] if body else []
    return "\r\n".join([*lines, f"content-length: {len(body)}"]).encode() + b"\r\n\r\n" + body


class Client:
    """One client with one connection, which it keeps while it can."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, key: str, body: Json | None = None, **headers: str) -> Json:
        """One call of the management API. Raises OSError or ValueError when it does not end with a 2xx, and in time."""
        content = json.dumps(body).encode() if body is not None else b""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, head, reader = await self._begin(request_bytes(method, path, key, content, **headers))
                text = b"".join([piece async for piece in _body(head, reader)])
        except BaseException:
            self.close()
            raise
        if not 200 <= status < 300:
            raise ValueError(f"{method} {path}: {status} {text[:400]!r}")
        return {**json.loads(text or b"{}"), "etag": head.get("etag", "")}

    async def listed(self, path: str, key: str) -> AsyncIterator[Json]:
        """Yield all of a list, page by page. Raises as `ask` does."""
        following = path
        while following:
            answer = await self.ask("GET", following, key)
            for one in answer["data"]:
                yield one
            cursor = answer["meta"]["next_cursor"]
            following = f"{path}&cursor={cursor}" if cursor else ""

    async def call(self, kind: Kind, key: str, chance: random.Random, stay: float | None, **headers: str) -> Outcome:
        """Make one call. After `stay` seconds the client leaves, wherever the answer stands then; None: it does not."""
        outcome = Outcome(key, kind, bound_of(kind), time.monotonic())
        request = request_bytes("POST", "/v1/chat/completions", key, body_of(kind), **headers)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._call(outcome, request, stay, chance)
        except TimeoutError:
            self.close()
            outcome.end = "hung"
        except (OSError, ValueError, EOFError):
            self.close()
        outcome.ended = time.monotonic()
        return outcome

    async def _call(self, outcome: Outcome, request: bytes, stay: float | None, chance: random.Random) -> None:
        text = bytearray()
        try:
            async with asyncio.timeout(stay):
                outcome.status, outcome.headers, reader = await self._begin(request)
                outcome.id = outcome.headers["x-headgate-request-id"]
                async for piece in _body(outcome.headers, reader):
                    text += piece
        except TimeoutError:
            self._leave(outcome, chance)
            return
        outcome.end = "whole"
        _read(outcome, bytes(text))
        if outcome.headers.get("connection") == "close":
            self.close()

    async def _begin(self, request: bytes) -> tuple[int, dict[str, str], asyncio.StreamReader]:
        """Send a request; return its answer's status and headers, and where its body comes from."""
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        text = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = text.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status.split(" ")[1]), headers, self._reader

    def _leave(self, outcome: Outcome, chance: random.Random) -> None:
        """End the connection as a client that leaves: closed in order, or reset."""
        outcome.end = "left"
        if self._writer is not None and chance.random() < 0.5:
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


async def _body(headers: dict[str, str], reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield an answer's body; fail when the connection breaks off before its end."""
    if headers.get("transfer-encoding") != "chunked":
        yield await reader.readexactly(int(headers.get("content-length", "0")))
        return
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)


def _read(outcome: Outcome, text: bytes) -> None:
    """Take from a whole answer what the provider served, or the error."""
    if outcome.status != 200:
        outcome.error = json.loads(text).get("error") or {}
        return
    if not outcome.kind.stream:
        outcome.usage = json.loads(text).get("usage")
        return
    if b'"error"' in text or not text.rstrip().endswith(b"data: [DONE]"):
        outcome.end = "broken"  # an answer that says that it is none
        return
    at = text.rfind(b'"usage":{')
    if at >= 0:
        outcome.usage, _ = json.JSONDecoder().raw_decode(text[at + len(b'"usage":') :].decode())
