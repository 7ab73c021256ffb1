"""The `usage` object of OpenAI's answers, shared by chat and embeddings."""

from __future__ import annotations

from lib.ledger.usage import Usage

# Where others than OpenAI tell what was read from a cache: Moonshot, DeepSeek, Mistral.
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")
MOST_TOKENS = 100_000_000  # far more than any model takes; a provider that tells more is not believed


def read_usage(value: object, tier: object = None) -> Usage | None:
    """Return the tokens that a `usage` object tells, or None when it is missing or makes no sense.

    `tier` is the `service_tier` that stands beside it: the one that was billed.

    Where the total is more than input and output, the rest is output too: xAI leaves the reasoning out of
    `completion_tokens` and bills it (https://docs.x.ai/docs/guides/reasoning), and so does Gemini's chat API.
    """
    if not isinstance(value, dict):
        return None
    total_input, output = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens", 0))
    if total_input is None or output is None:
        return None
    reasoning = _detail(value, "completion_tokens_details", "reasoning_tokens")
    output = max(output, (_count(value.get("total_tokens")) or 0) - total_input)
    cached = _detail(value, "prompt_tokens_details", "cached_tokens")
    return Usage(
        input=total_input,
        output=output if reasoning <= output else output + reasoning,
        cached_input=cached or next((found for name in _CACHED if name in value and (found := _count(value[name]))), 0),
        reasoning=reasoning,
        cache_write=_detail(value, "prompt_tokens_details", "cache_write_tokens"),
        tier=tier if isinstance(tier, str) else None,
    )


def estimate_tokens(text_bytes: int) -> int:
    """Return a rough number of tokens for a text of so many UTF-8 bytes: four a token, rounded up."""
    return -(-text_bytes // 4)


def _detail(usage: dict[str, object], group: str, name: str) -> int:
    details = usage.get(group)
    return (_count(details.get(name)) or 0) if isinstance(details, dict) else 0


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None
