from __future__ import annotations

import pytest

from tools.project import local_flags, toolchain, version_tuple, wrangler_toml


@pytest.mark.parametrize(
    ("text", "expected"),
    [("v24.19.0\n", (24, 19, 0)), ("22.18", (22, 18)), ("3.15.0rc1", (3, 15, 0)), ("none", ())],
)
def test_versions_compare_by_their_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert version_tuple(text) == expected


def test_the_node_we_bring_is_new_enough() -> None:
    assert version_tuple(toolchain().node_wheel) >= version_tuple(toolchain().node_minimum)


def test_production_never_gets_the_flags_of_local_runs() -> None:
    assert set(local_flags()) - set(wrangler_toml()["compatibility_flags"]) == {
        "experimental",
        "python_workers_development",
    }


def test_the_platform_logs_no_addresses() -> None:
    """Its own line of a request has the query, and so whatever secret somebody has put there; ours has the path."""
    assert wrangler_toml()["observability"]["logs"]["invocation_logs"] is False
