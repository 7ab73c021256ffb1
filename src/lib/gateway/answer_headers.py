"""Which of a provider's response headers reach the client. Denied unless listed: others may name the upstream's host,
its account or its cookies. `x-ratelimit-…` too: those are our account's there, which many share, and the caller's are
ours (`lib.gateway.admitting`).
"""

from __future__ import annotations

from collections.abc import Mapping

_KEPT = frozenset(
    {
        "cache-control",
        "content-type",
        "openai-model",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        "x-should-retry",
    }
)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to hand on, of a provider's answer."""
    return {name: value for name, value in headers.items() if name in _KEPT}
