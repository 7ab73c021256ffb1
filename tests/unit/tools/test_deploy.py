from __future__ import annotations

import pytest

from tools.deploy import BUDGET_KIB, check_database, check_size, chosen, upload_kib
from tools.project import ToolError, wrangler_toml
from tools.state import Store


def test_the_size_is_read_from_wranglers_words() -> None:
    assert upload_kib("…\nTotal Upload: 7198.16 KiB / gzip: 1958.06 KiB\n…") == 7198.16


def test_words_without_a_size_are_shown() -> None:
    with pytest.raises(ToolError, match="something new"):
        upload_kib("something new")


def test_a_worker_that_is_too_large_is_not_deployed() -> None:
    check_size(BUDGET_KIB)
    with pytest.raises(ToolError, match="too large"):
        check_size(BUDGET_KIB + 1)


@pytest.mark.parametrize(("store", "step"), [("d1", "wrangler d1 create"), ("postgres", "wrangler hyperdrive create")])
def test_a_placeholder_is_not_deployed(store: Store, step: str) -> None:
    """wrangler.toml as it is in the repository names no database of anybody's."""
    with pytest.raises(ToolError, match=step):
        check_database(store, wrangler_toml())


def test_only_the_chosen_stores_database_is_asked_for() -> None:
    """A team on PostgreSQL never makes a D1 database, and the other way round."""
    own = "0123456789abcdef0123456789abcdef"
    document = {"d1_databases": [{"database_id": own}], "env": {"postgres": {"hyperdrive": [{"id": "0" * 32}]}}}
    check_database("d1", document)
    document["env"]["postgres"]["hyperdrive"][0]["id"] = own  # type: ignore[index]
    document["d1_databases"] = [{"database_id": "0" * 32}]
    check_database("postgres", document)


def test_the_store_chooses_the_environment_of_wrangler_toml() -> None:
    """The top level is named too: an empty name stands for it."""
    assert chosen("d1") == ["--env", ""]
    assert chosen("postgres") == ["--env", "postgres"]
