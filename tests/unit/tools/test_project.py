from __future__ import annotations

import pytest

from tools.project import toolchain, version_tuple


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v24.19.0\n", (24, 19, 0)), ("22.18", (22, 18)), ("3.15.0rc1", (3, 15, 0)), ("none", ())],
)
def test_versions_compare_by_their_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert version_tuple(text) == expected


def test_the_node_we_bring_is_new_enough() -> None:
    assert version_tuple(toolchain().node_wheel) >= version_tuple(toolchain().node_minimum)
