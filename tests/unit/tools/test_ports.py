from __future__ import annotations

import socket

import pytest

from tools.ports import HIGHEST, HOST, LOWEST, free_port, require_free
from tools.project import ToolError


def test_a_port_in_use_is_refused_by_its_number() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(ToolError, match=f"port {port} is in use"):
            require_free(port)

    require_free(free_port())


def test_a_free_port_is_none_that_an_outgoing_connection_may_take() -> None:
    """A server keeps its port over a restart: while it is down, the port must not be given away."""
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 40
    assert all(LOWEST <= port < HIGHEST for port in ports)
