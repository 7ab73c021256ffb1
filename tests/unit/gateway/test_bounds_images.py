"""The most tokens of an image: OpenAI's rules, and the worst size by each."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.providers.openai_images import image_rule

SIDES = st.integers(1, 100_000)
TILED = {"gpt-4o": (85, 170), "gpt-4o-2024-08-06": (85, 170), "gpt-4o-mini": (2833, 5667), "gpt-4-turbo": (85, 170),
         "gpt-4.1": (85, 170), "o1": (75, 150), "o3": (75, 150), "gpt-5": (70, 140), "gpt-5.1": (70, 140),
         "gpt-5-chat-latest": (70, 140)}  # fmt: skip
# The budget of patches, and the larger of the stated and the billed factor.
PATCHED = {"gpt-4.1": (1536, 1.0), "gpt-4.1-mini": (1536, 1.62), "gpt-4.1-nano-2025-04-14": (1536, 2.46),
           "o4-mini": (1536, 1.72), "gpt-5-mini": (1536, 1.62), "gpt-5-nano": (1536, 2.46), "gpt-5.2": (1536, 1.2),
           "gpt-5.4": (2500, 1.2), "gpt-5.4-mini": (2500, 1.62), "gpt-5.4-nano": (2500, 2.46),
           "gpt-5.5-2026-04-23": (2500, 1.2)}  # fmt: skip


def tiles(width: float, height: float) -> int:
    """Fit into 2048 x 2048, then the short side into 768; count the squares of 512."""
    fit = min(1.0, 2048 / max(width, height))
    shrink = fit * min(1.0, 768 / (fit * min(width, height)))
    width, height = width * shrink, height * shrink
    return math.ceil(width / 512 - 1e-9) * math.ceil(height / 512 - 1e-9)


@given(SIDES, SIDES, st.sampled_from(sorted(TILED)))
def test_no_size_has_more_tiles(width: int, height: int, model: str) -> None:
    """Also the longest strip, and with the examples that OpenAI gives."""
    rule = image_rule(model)
    base, tile = TILED[model]
    assert rule is not None
    assert rule.high >= base + tile * tiles(width, height)
    assert rule.low >= base


def test_openais_own_examples() -> None:
    """765 tokens for 1024 x 1024, and 1105 for 2048 x 4096."""
    assert [85 + 170 * tiles(*size) for size in ((1024, 1024), (2048, 4096))] == [765, 1105]


@pytest.mark.parametrize(("model", "budget"), PATCHED.items())
def test_no_size_has_more_patches(model: str, budget: tuple[int, float]) -> None:
    """The budget is the most; some of these models do not heed `low`."""
    rule = image_rule(model)
    assert rule is not None
    assert min(rule.low, rule.high, rule.original) >= math.ceil(budget[0] * budget[1])


def test_original_has_a_budget_of_its_own() -> None:
    rule = image_rule("gpt-5.4")
    assert rule is not None
    assert rule.original >= 10_000 * 1.2


@pytest.mark.parametrize("model", ["ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini-2024-07-18"])
def test_a_model_of_its_own_name_goes_by_its_base(model: str) -> None:
    """The dearest rule of all is this one's."""
    assert image_rule(model) == image_rule("gpt-4o-mini")


@pytest.mark.parametrize(
    "model", ["", "gpt-4", "gpt-4ox", "gpt-6-sol", "gpt-5.6", "gpt-50", "llava", "my-gpt-4o", "o10"]
)
def test_a_model_that_no_rule_names_has_none(model: str) -> None:
    """Then a call with an image has no bound."""
    assert image_rule(model) is None


@pytest.mark.parametrize("model", sorted({*TILED, *PATCHED}))
def test_a_detail_that_is_left_open_may_be_any(model: str) -> None:
    """Nobody can tell beforehand what a provider chooses. A detail that is not known has no bound."""
    rule = image_rule(model)
    assert rule is not None
    most = max(rule.low, rule.high, rule.original)
    assert [rule.most(detail) for detail in ("auto", None, "low", "ultra")] == [most, most, rule.low, None]
