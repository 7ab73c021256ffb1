"""The audit log on the real runtime: changes are noted with their change, exported, and found whole by the verifier."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import letters
from tests.e2e.support.poll import until
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
    assert [event["seq"] for event in events] == list(range(MAKERS + 1, 1, -1))  # the first is the organisation's own
    assert {event["target"] for event in events} == {f"key:{key.id}" for key in made}
    assert {event["details"]["changes"]["name"]["new"] for event in events} == set(names)
    exported = own_headgate.get(f"{AUDIT}/export")
    assert [json.loads(line)["hash"] for line in exported.text.splitlines()[1:-1]] == [
        event["hash"] for event in events[::-1]
    ]
    assert [key.secret for key in made if key.secret in exported.text] == []

    found = examine(stack.target(), STORE, stack.state.secrets()["HEADGATE_SECRET"])
    assert found.flaws == []
    assert found.rows >= MAKERS


def test_who_may_not_read_it_does_not(own_headgate: Headgate) -> None:
    """Another key of the organisation; that it looked is not noted."""
    weak = own_headgate.as_key(own_headgate.new_key(scopes=["keys:read"]).secret)
    assert weak.get(AUDIT).status_code == 403
    assert [event["action"] for event in own_headgate.all_pages(AUDIT)] == ["key.created", "org.created"]


def test_a_refused_change_is_noted_and_a_flood_of_them_is_no_flood_of_rows(
    own_headgate: Headgate, stack: Stack
) -> None:
    """Who tried what on which, and why it may not; 40 at once are one row, in a chain that is whole."""
    key = own_headgate.new_key(scopes=["keys:read"])
    weak = own_headgate.as_key(key.secret)

    def revoke(_: int) -> int:
        return weak.call("DELETE", f"/api/v1/keys/{key.id}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(revoke, range(40))) == {403}
    assert weak.post("/api/v1/keys", {"name": "x"}).status_code == 403
    until(lambda: len(own_headgate.all_pages(AUDIT, result="denied")) >= 2, "both refusals are noted")
    made, revoked = own_headgate.all_pages(AUDIT, result="denied")
    assert {event["action"] for event in (made, revoked)} == {"request.refused"}
    assert {event["actor"] for event in (made, revoked)} == {f"key:{key.id}"}
    assert (made["target"], revoked["target"]) == (None, f"key:{key.id}")
    assert revoked["details"] == {
        "method": "DELETE",
        "route": "/api/v1/keys/{id}",
        "error": "permission_denied",
        "message": "This key lacks the scope keys:write.",
    }
    assert examine(stack.target(), STORE, stack.state.secrets()["HEADGATE_SECRET"]).flaws == []
