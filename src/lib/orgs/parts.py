"""What services need that write to people."""

from __future__ import annotations

from typing import Protocol

from lib.defence.parts import Guarded
from lib.mail.port import Mailer


class Mailing(Guarded, Protocol):
    """`mailer` sends."""

    @property
    def mailer(self) -> Mailer: ...
