"""Which status each route has answered while tests ran: each must be in the OpenAPI document."""

from __future__ import annotations

from lib.gateway.formats.openai.dialect import OPENAI
from lib.kernel.errors import HeadgateError
from lib.web.openapi import document
from lib.web.router import Router
from routes import ROUTES

ROUTER = Router(ROUTES)
DOCUMENT = document(ROUTES)


class Seen:
    """Statuses by method and path, as they are declared."""

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str], set[int]] = {}

    def note(self, method: str, path: str, status: int) -> None:
        """Note an answer of ours; `path` is as it was asked for. A provider's own answer is none of ours.

        Nor is a 500 told of any route: it is a provider's, or a defect, for which the log is looked through.
        """
        if status == 500:
            return
        try:
            route, _ = ROUTER.match(method, path)
        except HeadgateError:
            return
        if route.dialect is OPENAI and 200 < status < 300:
            return
        declared_as = (route.method.lower(), route.path.replace(":path}", "}"))
        self._statuses.setdefault(declared_as, set()).add(status)

    def undeclared(self) -> list[str]:
        """Return what was seen and is not in the document."""
        return sorted(
            f"{method.upper()} {path} {status}"
            for (method, path), statuses in self._statuses.items()
            for status in statuses
            if str(status) not in DOCUMENT["paths"][path][method]["responses"]
        )


SEEN = Seen()
