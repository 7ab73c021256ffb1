"""TCP ports on the loopback address."""

from __future__ import annotations

import contextlib
import secrets
import socket

from tools.project import ToolError

HOST = "127.0.0.1"


# Below the ports that systems give to outgoing connections: one of those might take ours while its server restarts.
LOWEST, HIGHEST = 10_000, 32_000


def free_port() -> int:
    """A port that was free a moment ago. Raises ToolError when none is found."""
    for _ in range(100):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise ToolError(f"no free port between {LOWEST} and {HIGHEST}")


def require_free(port: int) -> None:
    """Raises ToolError when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ToolError(
                f"port {port} is in use ({error.strerror}): choose another, such as PORT={port + 1}"
            ) from error
