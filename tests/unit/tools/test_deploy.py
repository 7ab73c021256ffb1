from __future__ import annotations

import pytest

from tools.deploy import MAX_COMPRESSED_KIB, check_size, compressed_kib
from tools.project import ToolError


def test_the_size_is_read_from_wranglers_words() -> None:
    assert compressed_kib("…\nTotal Upload: 7198.16 KiB / gzip: 1958.06 KiB\n…") == 1958.06


def test_words_without_a_size_are_shown() -> None:
    with pytest.raises(ToolError, match="something new"):
        compressed_kib("something new")


def test_a_worker_that_is_too_large_is_not_deployed() -> None:
    check_size(MAX_COMPRESSED_KIB)
    with pytest.raises(ToolError, match="too large"):
        check_size(MAX_COMPRESSED_KIB + 1)
