"""Each kind of token, whatever kinds there are: docs/ledger.md says how one is added."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.ledger import usage_store
from lib.ledger.archive import record_of
from lib.ledger.late_records import deliver_late
from lib.ledger.usage import NO_TOKENS, TOKENS, Cause, Usage
from lib.ledger.usage_record import UsageRecord
from tests.unit.fakes import NOW, run
from tests.unit.store.seeds import usage_record
from tests.unit.world import World, new_world

OTHERS = dict(NO_TOKENS)


def ended(world: World, kind: str) -> UsageRecord:
    """Return the record of a call that has used seven tokens of a kind, and none else."""
    opened = usage_record(world.org_id, world.key.principal.key_id, cause="lost")
    used: dict[str, Any] = {kind.removesuffix("_tokens"): 7}
    return opened.ended(
        Cause.FINISHED,
        Usage(**used),
        None,
        provider="p",
        upstream_model="u",
        status=200,
        estimated=False,
        first_byte_ms=1,
        duration_ms=2,
    )


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("corrects", [False, True])
def test_a_kind_is_stored_summed_exported_and_shown(kind: str, corrects: bool) -> None:
    """In its own column everywhere, and in no other; also where it takes the place of a call that was given up."""
    world, expected = new_world(), OTHERS | {kind: 7}
    record = ended(world, kind)
    lost = json.loads(record.to_json()) | NO_TOKENS | {"cause": "lost"}
    for written in [lost] * corrects + [json.loads(record.to_json())]:
        run(usage_store.deliver(world.parts.database, world.org_id, json.dumps([written]), NOW))
    exported, _ = map(json.loads, world.ask("GET", "/api/v1/ledger/export").body.splitlines())
    [listed], [line] = world.ask("GET", "/api/v1/ledger").data, world.ask("GET", "/api/v1/usage").data
    for shown in (listed, exported, line):
        assert {name: shown[name] for name in TOKENS} == expected


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("late", [False, True])
def test_who_does_not_know_a_kind_yet_has_used_none_of_it(kind: str, late: bool) -> None:
    """A Worker of the release before writes beside ours for a while, and what is in the archive stays as it is."""
    world = new_world()
    record = json.loads(ended(world, kind).to_json())
    del record[kind]
    if late:
        run(deliver_late(world.parts.database, None, world.org_id, [record], NOW))
    else:
        run(usage_store.deliver(world.parts.database, world.org_id, json.dumps([record]), NOW))
    [shown] = world.ask("GET", "/api/v1/ledger").data
    assert {name: shown[name] for name in TOKENS} == OTHERS
    kept = json.dumps(record | dict.fromkeys(("created_at", "updated_at"), record["started_at"]))
    assert getattr(record_of(kept), kind) == 0
