"""OpenAI's embeddings: every form of input, and an estimate of its tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.gateway.bounds import Bound
from lib.gateway.formats.openai.embeddings import EmbeddingsRequest, bound, input_estimate
from tests.unit.strategies import TEXT


def estimate(value: object) -> int:
    return input_estimate(EmbeddingsRequest.model_validate({"model": "m", "input": value}))


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("", 0),
        ("abcd", 1),
        ("abcde", 2),
        ("éé", 1),
        (["abcd", "abcd"], 2),
        ([1, 2, 3], 3),
        ([[1, 2], [3]], 3),
    ],
)
def test_every_form_of_input_is_counted(value: object, tokens: int) -> None:
    """Texts by their bytes, token lists by their length."""
    assert estimate(value) == tokens


@pytest.mark.parametrize("value", [None, 5, [], [[]], {}, [None], ["a", 1], [1, "a"], [["a"]], [1.5], ["a"] * 2049])
def test_what_is_no_input_is_refused(value: object) -> None:
    """Nothing, a mixture, or more than OpenAI takes at once."""
    with pytest.raises(ValidationError):
        estimate(value)


def test_other_fields_are_kept() -> None:
    """`dimensions`, `encoding_format`, and what is yet to come."""
    request = EmbeddingsRequest.model_validate({"model": "m", "input": "x", "dimensions": 256})
    assert request.model_extra == {"dimensions": 256}


def bounded(body: dict[str, object]) -> Bound:
    whole = {"model": "m", **body}
    return bound(EmbeddingsRequest.model_validate(whole), whole)


@given(TEXT | st.lists(TEXT, min_size=1, max_size=5))
def test_no_text_has_more_tokens_than_bytes(value: str | list[str]) -> None:
    """The worst tokenizer makes one of each byte, and some mark the two ends."""
    texts = [value] if isinstance(value, str) else value
    found = bounded({"input": value, "dimensions": 8, "encoding_format": "float", "user": "u"})
    assert found.input_tokens is not None
    assert found.input_tokens >= sum(len(text.encode()) + 2 for text in texts)
    assert (found.wanted_output, found.choices, found.has_output, found.reason) == (None, 1, False, None)


@pytest.mark.parametrize(("value", "count"), [([1, 2, 3], 3), ([[1, 2], [3]], 3)])
def test_given_tokens_are_counted(value: object, count: int) -> None:
    """As they are, whatever their numbers."""
    found = bounded({"input": value}).input_tokens
    assert found is not None
    assert count <= found <= count + 12


def test_a_field_that_is_not_known_leaves_no_bound() -> None:
    """It may be a text to put before each input. Null is not set."""
    assert bounded({"input": "x", "user": None, "prompt": None}).input_tokens is not None
    found = bounded({"input": "x", "prompt": "y"})
    assert found.input_tokens is None
    assert "`prompt`" in str(found.reason)
