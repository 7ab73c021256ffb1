from __future__ import annotations

import socket

import pytest

from tools.ports import HOST, free_port, require_free
from tools.project import ToolError


def test_a_port_in_use_is_refused_by_its_number() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(ToolError, match=f"port {port} is in use"):
            require_free(port)

    require_free(free_port())
