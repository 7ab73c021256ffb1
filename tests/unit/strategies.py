"""Values that several properties draw from."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # a lone surrogate is no text: UTF-8 can't hold it
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
JSON_OBJECTS = st.dictionaries(TEXT, JSON, max_size=5)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def cut(text: bytes, places: list[int]) -> list[bytes]:
    """Return `text` in pieces, cut at these places."""
    ends = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def cut_at_line_ends(text: bytes, places: list[int]) -> list[bytes]:
    """Return `text` in pieces, cut before, inside or behind line ends, where most mistakes are."""
    ends = [index + offset for index, byte in enumerate(text) if byte in b"\r\n" for offset in (0, 1)]
    return cut(text, [ends[place % len(ends)] for place in places] if ends else [])


PLACES = st.lists(st.integers(0, 1 << 20), max_size=12)
