"""What routes can't show of rules: two changes of one version at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lib.collection import Collection
from lib.kernel.errors import PreconditionFailed
from lib.rules.rule_service import BUDGET, LIMIT
from tests.unit.fakes import run
from tests.unit.store.test_table import budget, limit
from tests.unit.world import new_world


@pytest.mark.parametrize(
    ("kind", "make", "wanted"), [(LIMIT, limit, {"amount": 5}), (BUDGET, budget, {"limit_nano_usd": 5})]
)
def test_a_change_that_comes_second_is_lost_loudly(kind: Collection[Any], make: Any, wanted: dict[str, Any]) -> None:
    """Somebody else's came between the reading and the writing: nothing is written then, and nothing is noted."""
    world = new_world()
    parts = world.parts.for_request()
    work = parts.work(world.key.principal.actor)
    row = run(kind.create(work, make(world.org_id)))
    first = run(kind.update(work, row, replace(row, name="first")))
    with pytest.raises(PreconditionFailed):
        run(kind.update(work, row, replace(row, **wanted)))
    assert run(kind.get(parts.database, world.org_id, row.id)) == first
    assert not run(kind.delete(work, row, row.version))
    noted = [event["action"] for event in world.ask("GET", "/api/v1/audit").body["data"]]
    assert noted == [*reversed(kind.events[:2])]
