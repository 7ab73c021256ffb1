"""SQL as a list of tokens and groups: as much of a parser as it takes to judge our own statements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lib.store.database import StoreError

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>'(?:[^']|'')*')|(?P<place>\?\d*)|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign>->>|->|\|\||<>|<=|>=|!=|::|-(?!-)|/(?!\*)|[+*%=<>(),.])"
)

Item = str | list["Item"]  # a token, or what stands between two parentheses (or CASE and END)


class UnreadableSql(StoreError):
    """The text holds something that no statement of ours needs: a comment, a quoted name, a second statement."""


_MIXED = "places with and without a number: SQLite counts them in its own way"


def tokens(sql: str) -> Iterator[str]:
    """Yield the tokens: words in lower case, literals as they are, places numbered (`?` becomes `?1` and so on)."""
    at = unnumbered = 0
    numbered = False
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        if found is None:
            raise UnreadableSql(f"at character {at}")
        at = found.end()
        token = found[0]
        if found.lastgroup == "place":
            numbered |= token != "?"  # noqa: S105 - a place, no secret
            unnumbered += token == "?"  # noqa: S105
            if numbered and unnumbered:
                raise UnreadableSql(_MIXED)
            token = token if numbered else f"?{unnumbered}"
        if found.lastgroup == "word":
            token = token.lower()
        if found.lastgroup != "space":
            yield token


def parse(sql: str) -> list[Item]:
    """Return the statement's tokens, with what is in parentheses, or between CASE and END, as a list of its own."""
    open_groups: list[tuple[list[Item], str]] = [([], "")]
    for token in tokens(sql):
        if token in ("(", "case"):
            open_groups.append(([], ")" if token == "(" else "end"))  # noqa: S105 - as above
        elif token in (")", "end"):
            group, closing = open_groups.pop()
            if token != closing or not open_groups:
                raise UnreadableSql("parentheses do not match")
            open_groups[-1][0].append(group)
        else:
            open_groups[-1][0].append(token)
    if len(open_groups) != 1:
        raise UnreadableSql("parentheses do not match")
    return open_groups[0][0]


def split(items: Sequence[Item], *separators: str) -> list[list[Item]]:
    """Split at tokens of this level."""
    parts: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, str) and item in separators:
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def postgres_places(sql: str) -> str:
    """Return the same statement with PostgreSQL's places: `?` and `?1` become `$1`. Literals stay as they are.

    Raises UnreadableSql.
    """
    number = 0
    kinds: set[bool] = set()

    def place(found: re.Match[str]) -> str:
        nonlocal number
        if found[0][0] == "'":
            return found[0]
        number += 1
        kinds.add(bool(found[1]))
        return f"${found[1] or number}"

    text = re.sub(r"'(?:[^']|'')*'|\?(\d*)", place, sql)
    if len(kinds) > 1:
        raise UnreadableSql(_MIXED)
    return text
