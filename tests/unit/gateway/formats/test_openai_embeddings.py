"""OpenAI's embeddings: every form of input, and an estimate of its tokens."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lib.gateway.formats.openai_embeddings import EmbeddingsRequest, input_estimate


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
