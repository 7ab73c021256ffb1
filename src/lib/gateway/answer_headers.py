"""Which of a provider's response headers reach the client. Denied unless listed: others may name the upstream's host,
its account or its cookies.
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
_KEPT_PREFIXES = ("x-ratelimit-",)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to hand on, of a provider's answer."""
    return {name: value for name, value in headers.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
