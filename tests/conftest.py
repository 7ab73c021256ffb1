"""The order of the tests of every suite."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What all tests saw is judged behind them."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
