"""The archive's binding: where it is missing, what needs it is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lib.config import ConfigError, Records
from tests.unit.runtime.virtual_platform import load

[ARCHIVE] = load("archive")


@pytest.mark.parametrize("records", Records)
@pytest.mark.parametrize("is_bound", [True, False])
def test_records_stay_in_an_archive_only_where_there_is_one(records: Records, is_bound: bool) -> None:
    """Else a deployment that is to keep little in its store would fill it, and nobody would know."""
    env = SimpleNamespace(**({"ARCHIVE": object()} if is_bound else {}))
    if records is Records.ARCHIVE and not is_bound:
        with pytest.raises(ConfigError, match="must bind ARCHIVE"):
            ARCHIVE.archive_of(env, records)
    else:
        assert (ARCHIVE.archive_of(env, records) is not None) is is_bound
