"""The most tokens of tools and JSON schemas.

A provider does not show them to its model as JSON: OpenAI writes them as type declarations, in a form that it does not
publish. Each name and text comes once, and what stands between is of a few characters, as in JSON. We allow two tokens
for each byte of the JSON: the JSON over again for what the form adds. A provider may write a definition at every
place that refers to it, so references count as what they name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lib.gateway.bounds import Unproved
from lib.kernel import json_body

_TOKENS_A_BYTE = 2
# Following references takes Python's time, at most once for each level of nesting. This is far more than tools need.
_MOST_BYTES_WITH_REFERENCES = 256 * 1024
_MOST_TOKENS = 100_000_000  # no model takes as much, and definitions that double each other soon pass any number
_DEEPEST = 64


def schema_tokens(value: object, roots: list[Any]) -> int:
    """Return the most tokens of `value`, beside the bytes of its JSON. `roots` are the schemas in it.

    Raises Unproved where references go in circles, or are too many to follow.
    """
    text = json_body.dump(value)
    more = 0
    if b'"$ref"' in text:
        if len(text) > _MOST_BYTES_WITH_REFERENCES:
            raise Unproved("the tools or schemas with references in them are too large to be measured")
        more = sum(_Expansion(root).added(root, ()) for root in roots)
    tokens = (len(text) + more) * _TOKENS_A_BYTE
    if tokens > _MOST_TOKENS:
        raise Unproved("the references in the tools or schemas make them too large")
    return tokens - len(text)


class _Expansion:
    """What a schema would grow by if each reference were replaced by what it names."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._known: dict[int, int] = {}

    def added(self, node: object, path: tuple[int, ...]) -> int:
        """Return the bytes that the references inside `node` add. `path` are the definitions that led to it."""
        if id(node) in path or len(path) > _DEEPEST:
            raise Unproved("a schema refers to itself, or through too many others")
        if id(node) not in self._known:
            within = (*path, id(node))
            self._known[id(node)] = min(
                sum(self._whole(pointer, within) for pointer in _references(node)), _MOST_TOKENS
            )
        return self._known[id(node)]

    def _whole(self, pointer: str, path: tuple[int, ...]) -> int:
        if not pointer.startswith("#"):
            return 0  # another document: no provider fetches it
        target = _named(self._root, pointer)
        return len(json_body.dump(target)) + self.added(target, path)


def _references(node: object) -> Iterator[str]:
    todo = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, dict):
            if isinstance(reference := current.get("$ref"), str):
                yield reference
            todo += current.values()
        elif isinstance(current, list):
            todo += current


def _named(root: object, pointer: str) -> object:
    """Return what a JSON pointer (RFC 6901) names."""
    node = root
    for part in pointer[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or name not in node:
            raise Unproved("a schema refers to what is not there")
        node = node[name]
    return node
