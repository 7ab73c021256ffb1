"""Upper bounds of what a call to a model may use, proved before it is made.

What the proof rests on:

- The tokenizers of OpenAI's models work on the bytes of a text as it is, and every token covers at least a byte
  (https://github.com/openai/tiktoken). So a text has at most as many tokens as it has UTF-8 bytes.
- What a provider adds to a message, an image or a tool is stated beside each constant.
- What nobody states a rule for has no bound: `Bound.input_tokens` is None then, and `reason` says why. Unknown
  fields are among them: what they cost is not known either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.kernel.errors import BadRequest

MOST_CHOICES = 128  # https://platform.openai.com/docs/api-reference/chat/create#chat-create-n
MOST_TOKENS = 2**53 - 1  # the largest number that every JSON reader holds exactly
_SHOWN = 64  # of a field's name, which is the client's


class Unproved(Exception):
    """No bound can be proved. The message says why, for people; it ends without a full stop."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one call may use. A provider never counts more.

    `input_tokens` is None where no bound can be proved, for `reason`. `wanted_output` is the most output of one choice
    that the client allowed, None where it set no limit. `choices` multiplies the output and not the input.
    """

    input_tokens: int | None
    wanted_output: int | None
    choices: int
    has_output: bool
    reason: str | None = None


def whole_number(json: Mapping[str, object], name: str, most: int) -> int | None:
    """Return a field from 1 to `most`, or None where it is not set.

    Raises BadRequest for all else: what a lenient provider would make of it, no bound could know.
    """
    value = json.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadRequest(f"`{name}` must be a whole number from 1 to {most}.", param=name)
    return value


def largest(json: Mapping[str, object], names: tuple[str, ...], most: int) -> int | None:
    """Return the largest of several fields of which a provider may heed any; None where none is set."""
    return max((value for name in names if (value := whole_number(json, name, most)) is not None), default=None)


def only(json: Mapping[str, object], known: frozenset[str], where: str) -> None:
    """Raise Unproved where a field is set that is not `known`."""
    for name, value in json.items():
        if value is not None and name not in known:
            raise Unproved(f"nobody can tell beforehand what the field `{name[:_SHOWN]}` of {where} costs")
