"""The vendors that speak OpenAI's API: a row each, and no code.

To add one: its row here, and where the price data has it, its name there in `tools/make_prices.py`.
docs/adding-a-provider.md tells the whole way.
"""

from __future__ import annotations

from lib.gateway.providers import simulated
from lib.gateway.providers.openai_images import image_rule
from lib.gateway.providers.vendor import CHAT, Vendor


def _never_moves(model: str) -> bool:
    """Tell whether a name of OpenAI's stays with its model. `chat-latest` is another tomorrow, with other limits."""
    return "latest" not in model


# These name models to go on with when the one that is called fails, as a caller can make it by a text that is too long
# (https://openrouter.ai/docs/guides/routing/model-fallbacks), or to ask beside it, as the vendor's own tools do too
# (https://openrouter.ai/docs/guides/features/plugins/fusion, https://openrouter.ai/docs/guides/features/server-tools):
# past a bound key's models, and past prices and rules.
_OTHER_MODELS = dict.fromkeys(("models", "route", "preset", "plugins"))

# The limits of others' rows are not proved: resold models have the reseller's, which litellm often has not (Together's
# Llama 3.1 405B: 4096), and its rows of Mistral's and DeepSeek's aliases are of what stood behind them years ago.
VENDORS = (
    # https://platform.openai.com/docs/api-reference
    Vendor(
        "openai",
        "https://api.openai.com/v1",
        prices="openai",
        limits_hold=_never_moves,
        lists_itself=False,
        image_rule=image_rule,
    ),
    # https://console.groq.com/docs/openai
    Vendor("groq", "https://api.groq.com/openai/v1", prices="groq", speaks=CHAT),
    # https://docs.mistral.ai/api: what it does not know it refuses (422 `extra_forbidden`). It tells a stream's usage
    # unasked. What would change the answer goes there, and is refused there.
    Vendor(
        "mistral",
        "https://api.mistral.ai/v1",
        prices="mistral",
        output_field="max_tokens",
        fields={"seed": "random_seed", **dict.fromkeys(("stream_options", "user", "safety_identifier", "store"))},
    ),
    # https://api-docs.deepseek.com
    Vendor("deepseek", "https://api.deepseek.com", prices="deepseek", speaks=CHAT, output_field="max_tokens"),
    # https://docs.x.ai/docs/api-reference; 403: https://github.com/UKGovernmentBEIS/inspect_ai/pull/2267
    Vendor("xai", "https://api.x.ai/v1", prices="xai", content_refused=(b"violates usage guidelines",)),
    # https://docs.together.ai/docs/inference/openai-compatibility; its reference has `max_tokens` alone.
    Vendor("together", "https://api.together.ai/v1", prices="together_ai", output_field="max_tokens"),
    # https://openrouter.ai/docs/api/reference/overview: its prices depend on where it sends a call;
    # 403, moderation: https://openrouter.ai/docs/api/reference/errors-and-debugging
    Vendor(
        "openrouter",
        "https://openrouter.ai/api/v1",
        content_refused=(b'"flagged_input"',),
        fields=_OTHER_MODELS,
        functions_only=True,
    ),
    # https://docs.anannas.ai
    Vendor("anannas", "https://api.anannas.ai/v1", fields=_OTHER_MODELS, functions_only=True),
    # https://docs.fireworks.ai/tools-sdks/openai-compatibility
    Vendor("fireworks", "https://api.fireworks.ai/inference/v1", prices="fireworks_ai"),
    # https://docs.perplexity.ai: each answer makes searches, which are charged beside its tokens; it has no list.
    Vendor("perplexity", "https://api.perplexity.ai", speaks=CHAT, lists_itself=False),
    # https://docs.vllm.ai/en/stable/serving/online_serving.html, and any other server of one's own
    Vendor("vllm"),
    # https://docs.ollama.com/openai
    Vendor("ollama", output_field="max_tokens"),
    # tools/sim. Any name is a model: the name says what it does.
    Vendor(
        "sim",
        default_price=simulated.PRICE,
        limits=simulated.limits,
        limits_hold=lambda _: True,
        listed=simulated.LISTED,
        lists_itself=False,
        image_rule=simulated.image_rule,
    ),
)
