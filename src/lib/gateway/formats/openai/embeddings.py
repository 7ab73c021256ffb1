"""OpenAI's embeddings: what we read of a request, and what an answer tells of its tokens.

Source: https://platform.openai.com/docs/api-reference/embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.gateway.bounds import Bound, Unproved, only
from lib.gateway.formats.format import Facts, Format, Json
from lib.gateway.formats.openai import chat_answer, errors
from lib.gateway.formats.openai.dialect import OPENAI
from lib.gateway.formats.openai.fields import by_vendor
from lib.gateway.formats.openai.usage import estimate_tokens
from lib.gateway.formats.openai.user import end_user
from lib.gateway.models import ModelFacts
from lib.kernel import json_body
from lib.kernel.text import PRINTABLE

_FIELDS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_PER_INPUT = 4  # OpenAI adds none; others mark the start and the end of a text
Tokens = Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(min_length=1)]


class EmbeddingsRequest(BaseModel):
    """Texts, or token lists, to embed. Every other field of OpenAI's API is handed on untouched."""

    model_config = ConfigDict(strict=True, extra="allow")
    model: Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE, examples=["sim/embed"])]
    input: str | Annotated[list[str] | Tokens | list[Tokens], Field(min_length=1, max_length=2048)]


def facts(request: EmbeddingsRequest, json: Json) -> Facts:
    """Return what a request says of itself."""
    return Facts(request.model, False, input_estimate(request), end_user(json))


def written(json: Json, model: str, known: ModelFacts) -> bytes:
    """Return the body for the provider: its own name of the model, and all else as it came, by its names."""
    changes, left_out = by_vendor(json, known)
    sent = {**json, **changes, "model": model}
    return json_body.dump({name: value for name, value in sent.items() if name not in left_out})


def bound(request: EmbeddingsRequest, json: Json) -> Bound:
    """Return the most that a call may use: a token for each byte of text, or the tokens that were given."""
    try:
        only(json, _FIELDS, "the body")
    except Unproved as unproved:
        return Bound(None, None, 1, has_output=False, reason=str(unproved))
    return Bound(sum(_most_tokens(item) for item in _inputs(request)), None, 1, has_output=False)


def input_estimate(request: EmbeddingsRequest) -> int:
    """Return a rough count of the input tokens, for a call whose provider never told."""
    return sum(_tokens(item) for item in _inputs(request))


def _inputs(request: EmbeddingsRequest) -> Sequence[str | int | list[int]]:
    return [request.input] if isinstance(request.input, str) else request.input


def _most_tokens(item: str | int | list[int]) -> int:
    return _PER_INPUT + (len(item.encode()) if isinstance(item, str) else _tokens(item))


def _tokens(item: str | int | list[int]) -> int:
    if isinstance(item, str):
        return estimate_tokens(len(item.encode()))
    return len(item) if isinstance(item, list) else 1


EMBEDDINGS = Format(
    name="embeddings",
    dialect=OPENAI,
    facts=facts,
    written=written,
    bound=lambda request, json, _text, _model, _known: bound(request, json),
    granted=lambda text, _json, _model, _known, _output: text,
    usage=chat_answer.usage_of_answer,
    output_estimate=lambda _answer: 0,
    told_error=errors.told_error,
    error=errors.error,
    has_output=False,
)
