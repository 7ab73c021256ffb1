from __future__ import annotations

import pytest

from tools.build import BUDGET_KIB, LIMIT_KIB, check_size, chosen, upload_kib
from tools.project import ToolError


def test_the_size_is_read_from_wranglers_words() -> None:
    """Before compression, as Cloudflare counts."""
    assert upload_kib("…\nTotal Upload: 7198.16 KiB / gzip: 1958.06 KiB\n…") == 7198.16


def test_words_without_a_size_are_shown() -> None:
    with pytest.raises(ToolError, match="something new"):
        upload_kib("something new")


def test_a_worker_that_is_too_large_is_not_deployed() -> None:
    """Our budget is below Cloudflare's limit."""
    assert check_size(BUDGET_KIB).startswith("16.0 MiB")
    with pytest.raises(ToolError, match="over our budget"):
        check_size(BUDGET_KIB + 1)
    assert BUDGET_KIB < LIMIT_KIB


def test_the_store_chooses_the_environment_of_wrangler_toml() -> None:
    """The top level is named too: an empty name stands for it."""
    assert chosen("d1") == ["--env", ""]
    assert chosen("postgres") == ["--env", "postgres"]
