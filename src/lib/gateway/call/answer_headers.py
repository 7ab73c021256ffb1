"""Which of a provider's response headers reach the client. Denied unless listed: others may name the upstream's host,
its account or its cookies. `x-ratelimit-…` too: those are our account's there, which many share, and the caller's are
ours (`lib.gateway.call.admitting`).
"""

from __future__ import annotations

from collections.abc import Mapping, Set

_KEPT = frozenset(
    {
        "cache-control",
        "content-type",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
    }
)


def kept(headers: Mapping[str, str], own: Set[str]) -> dict[str, str]:
    """Return the headers to hand on, of a provider's answer. `own` are those of its API (`Dialect.kept`)."""
    return {name: value for name, value in headers.items() if name in _KEPT or name in own}


def untransformed(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a stream's headers with a word against changing its bytes on their way, beside what its provider says.

    Cloudflare's edge leaves event streams alone, but a zone's own compression rule, or a proxy behind it, may gather
    events until a block is full (https://developers.cloudflare.com/speed/optimization/content/compression/).
    """
    said = headers.get("cache-control", "")
    directives = [directive.strip().lower() for directive in said.split(",")]
    if "no-transform" in directives:
        return dict(headers)
    return {**headers, "cache-control": f"{said}, no-transform" if said.strip() else "no-transform"}
