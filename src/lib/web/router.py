"""Find the route of a method and path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from lib.http.dialect import HEADGATE, Dialect
from lib.kernel.errors import MethodNotAllowed, NotFound
from lib.web.route import Route

# What a page may read of an answer, beside what it always may: what SDKs look at, and what we tell.
# fmt: off
_EXPOSED = frozenset({
    "etag", "location", "ratelimit", "ratelimit-policy", "retry-after", "retry-after-ms", "x-headgate-bookmark",
    "x-headgate-budget-remaining", "x-headgate-cost", "x-headgate-request-id", "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens", "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-request-id", "x-should-retry",
})
# fmt: on
_WORD = re.compile(r"[a-z][a-z_]{0,31}")
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


class Router:
    """All routes by path. `exposed` are the headers that a page of another origin may read of an answer.

    Fixed paths are one dictionary look-up; the others are tried in order of declaration.

    Slashes at a path's end mean nothing: base URLs are often written with one.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"two routes for {route.method} {route.path}")
            methods[route.method] = route
        self._offered = ", ".join(
            f"{method} {path}"
            for path, methods in by_path.items()
            for method, route in methods.items()
            if route.dialect.tag and "{" not in path
        )
        dialects = {HEADGATE, *(route.dialect for methods in by_path.values() for route in methods.values())}
        self._dialects = sorted(((f"{dialect.prefix}/", dialect) for dialect in dialects), key=lambda one: -len(one[0]))
        self.exposed = ", ".join(sorted(_EXPOSED.union(*(dialect.kept for dialect in dialects))))
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((_compile(path), methods))
            else:
                self._fixed[path] = methods

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and its decoded path parameters. Raises NotFound or MethodNotAllowed.

        HEAD is answered by the GET route; the platform drops the body (RFC 9110, 9.3.2).
        """
        methods, parameters = self._find(path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise MethodNotAllowed(_with_head(methods))
        return route, parameters

    def dialect_of(self, path: str) -> Dialect:
        """Return how a path speaks, whether anybody has it or not."""
        whole = f"{path}/"
        for prefix, dialect in self._dialects:
            if whole.startswith(prefix):
                return dialect
        return HEADGATE

    def methods(self, path: str) -> list[str]:
        """Return what may be asked of a path. Raises NotFound."""
        return sorted(_with_head(self._find(path)[0]))

    def _find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed, {}
        if path.endswith("/") and path.strip("/"):
            return self._find(path.rstrip("/"))
        for pattern, methods in self._patterns:
            found = pattern.fullmatch(path)
            if found:
                return methods, {name: _decode(value) for name, value in found.groupdict().items()}
        raise self._nothing_at(path)

    def _nothing_at(self, path: str) -> NotFound:
        """Return the error for a path that nobody has. Where it looks like one of a provider's, it says what there is.

        What somebody puts into a path is not said again, but for a plain word: the API that is not offered.
        """
        if f"/v1{path}" in self._fixed:
            return NotFound(f"There is nothing at this path. Did you mean /v1{path}? The base URL ends with /v1.")
        if not f"{path}/".startswith("/v1/"):
            return NotFound("There is nothing at this path.")
        word = path[4:].partition("/")[0]
        what = f"/v1/{word}" if _WORD.fullmatch(word) else "This"
        return NotFound(f"{what} is not offered here. What is: {self._offered}.", code="unknown_url")


def _with_head(methods: Mapping[str, Route]) -> list[str]:
    return [*methods, *(["HEAD"] if "GET" in methods else [])]


def _compile(path: str) -> re.Pattern[str]:
    parts: list[str] = []
    position = 0
    for parameter in _PARAMETER.finditer(path):
        parts.append(re.escape(path[position : parameter.start()]))
        parts.append(f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})")
        position = parameter.end()
    return re.compile("".join(parts) + re.escape(path[position:]))


def _decode(segment: str) -> str:
    """Percent-decode one path parameter. Bytes that are not UTF-8 name nothing that exists."""
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise NotFound("There is nothing at this path.") from None
