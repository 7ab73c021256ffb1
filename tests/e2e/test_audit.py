"""The audit log on the real runtime: changes are noted with their change, exported, and found whole by the verifier."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tools.stack import Stack
from tools.verify_audit import examine

AUDIT = "/api/v1/audit"
MAKERS = 12


def test_what_many_do_at_once_is_noted_once_each(own_headgate: Headgate, stack: Stack) -> None:
    """Keys that are made side by side: each has its event, the chain has no gap, and the verifier finds it whole."""
    names = [f"Key {letters()}" for _ in range(MAKERS)]
    with ThreadPoolExecutor(MAKERS) as pool:
        made = list(pool.map(lambda name: own_headgate.new_key(name=name), names))
    events = own_headgate.all_pages(AUDIT, action="key.created", limit=5)
    assert [event["seq"] for event in events] == list(range(MAKERS, 0, -1))
    assert {event["target"] for event in events} == {f"key:{key.id}" for key in made}
    assert {event["details"]["name"] for event in events} == set(names)
    exported = own_headgate.get(f"{AUDIT}/export")
    assert [json.loads(line)["hash"] for line in exported.text.splitlines()] == [
        event["hash"] for event in events[::-1]
    ]
    assert [key.secret for key in made if key.secret in exported.text] == []

    found = examine(stack.target(), STORE, stack.state.secrets()["HEADGATE_SECRET"])
    assert found.flaws == []
    assert found.rows >= MAKERS


def test_who_may_not_read_it_does_not(own_headgate: Headgate) -> None:
    """Another key of the organisation; and a change that was refused is not in it."""
    weak = own_headgate.as_key(own_headgate.new_key(scopes=["keys:read"]).secret)
    assert weak.get(AUDIT).status_code == 403
    assert weak.post("/api/v1/keys", {"name": "x"}).status_code == 403
    assert [event["action"] for event in own_headgate.all_pages(AUDIT)] == ["key.created"]
