"""A provider whose every byte a test writes itself: for answers that no decent server would give.

    model = upstream.plays(lambda call: call.send(b"HTTP/1.1 200 OK\\r\\n…"))

Headgate's provider `openai` leads here. Each script has a model of its own, by which a request finds it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from tests.e2e.support.headgate import Json
from tests.e2e.support.names import letters
from tests.e2e.support.poll import until

JSON_TYPE = "application/json"
EVENTS_TYPE = "text/event-stream"
LISTING = b'{"object":"list","data":[{"id":"listed-there","object":"model"},{"id":"vendor/deep","object":"model"}]}'


@dataclass
class Call:
    """One request that reached the provider, and the socket to answer on."""

    connection: socket.socket
    target: str
    headers: dict[str, str]
    body: Json
    gone: threading.Event = field(default_factory=threading.Event)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the other side has left, which `gone` will say
            self.connection.sendall(data)

    def wait_until_gone(self, seconds: float = 20) -> None:
        """Block until the other side ends the connection, and set `gone`."""
        self.connection.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            with contextlib.suppress(ConnectionResetError):
                while self.connection.recv(4096):
                    pass
            self.gone.set()


Script = Callable[[Call], None]


class ScriptedUpstream:
    """Listens on a free port. `calls` holds the requests of each model."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._scripts: dict[str, Script] = {}
        self.calls: dict[str, list[Call]] = {}
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> ScriptedUpstream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def plays(self, script: Script) -> str:
        """The name of a model whose requests are answered by `script`. The connection ends when it returns."""
        name = f"scripted-{letters()}"
        self._scripts[name] = script
        self.calls[name] = []
        return f"openai/{name}"

    def answers(self, content: bytes, *, content_type: str = JSON_TYPE, status: str = "200 OK", more: str = "") -> str:
        """The name of a model that answers with this body; `more` are header lines, each with its line end."""
        return self.plays(lambda call: call.send(answer(content, content_type=content_type, status=status, more=more)))

    def plays_as(self, name: str, content: bytes) -> None:
        """Answer requests for the provider's model `name` with this body."""
        self._scripts[name] = lambda call: call.send(answer(content))

    def call_of(self, model: str) -> Call:
        """The only request for a model."""
        [call] = self.calls[model.partition("/")[2]]
        return call

    def wait_for(self, model: str) -> Call:
        """The only request for a model, once it has come."""
        until(lambda: bool(self.calls[model.partition("/")[2]]), f"a request for {model} reaches the provider")
        return self.call_of(model)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head, _, body = _read_until(connection, b"", b"\r\n\r\n")
            request_line, *lines = head.decode("latin-1").split("\r\n")
            if request_line.startswith("GET /v1/models "):
                connection.sendall(answer(LISTING))
                return
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            while len(body) < int(headers.get("content-length", "0")):
                body += connection.recv(65536)
            call = Call(connection, request_line.split(" ")[1], headers, json.loads(body or b"{}"))
            name = str(call.body.get("model"))
            self.calls.setdefault(name, []).append(call)
            self._scripts[name](call)
            _close(connection)


def answer(content: bytes, *, content_type: str = JSON_TYPE, status: str = "200 OK", more: str = "") -> bytes:
    """The bytes of a whole answer."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(content)}\r\n{more}"
    return head.encode() + b"connection: close\r\n\r\n" + content


def stream_head(content_type: str = EVENTS_TYPE) -> bytes:
    """The head of a stream that ends with its connection."""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode()


def _read_until(connection: socket.socket, text: bytes, mark: bytes) -> tuple[bytes, bytes, bytes]:
    while mark not in text:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError
        text += data
    return text.partition(mark)


def _close(connection: socket.socket) -> None:
    """End in order: a socket that is closed with data unread would reset the connection, and the answer be lost."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        while connection.recv(4096):
            pass
