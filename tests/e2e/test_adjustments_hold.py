"""Top-ups, overrides and changes of the time zone, on callers: what a hard budget covers at each moment."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.shapes import assert_error
from tests.e2e.test_budgets_hold import INPUT, OUTPUT, budget, recorded, settled, state

pytestmark = pytest.mark.once

MODEL, ZONES = "sim/chat-chunks8", ("Pacific/Kiritimati", "Asia/Tokyo", "Etc/GMT+12", "UTC")
OWN = "/api/v1/orgs/current"


def adjust(headgate: Headgate, budget_id: str, **fields: object) -> str:
    answer = headgate.post(f"/api/v1/budgets/{budget_id}/adjustments", {"kind": "top_up", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def test_each_adjustment_holds_from_its_answer_on(own_headgate: Headgate) -> None:
    """A spent budget covers calls again; none when the top-up is deleted, nor under an override of nothing."""
    budget_id = budget(own_headgate, 0)
    assert_error(own_headgate.chat(MODEL), 402, openai=True)
    place = adjust(own_headgate, budget_id, amount_nano_usd=10**9)
    assert own_headgate.chat(MODEL).status_code == 200
    assert state(own_headgate, budget_id)["effective_limit_nano_usd"] == 10**9
    assert own_headgate.delete(place).status_code == 204
    assert_error(own_headgate.chat(MODEL), 402, openai=True)
    adjust(own_headgate, budget_id, kind="override", amount_nano_usd=10**9)
    assert own_headgate.chat(MODEL).status_code == 200
    adjust(own_headgate, budget_id, kind="override", amount_nano_usd=0)
    assert_error(own_headgate.chat(MODEL), 402, openai=True)


def test_an_adjustment_ends_by_itself(own_headgate: Headgate) -> None:
    """At its time, without anybody's doing: at the gate and in what the API shows."""
    budget_id = budget(own_headgate, 0)
    ends = datetime.now(UTC) + timedelta(seconds=10)
    place = adjust(own_headgate, budget_id, amount_nano_usd=10**9, expires_at=ends.isoformat())
    assert own_headgate.chat(MODEL).status_code == 200
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.05)
    assert_error(own_headgate.chat(MODEL), 402, openai=True)
    assert own_headgate.get(place).status_code == 404
    assert state(own_headgate, budget_id)["effective_limit_nano_usd"] == 0


def test_no_call_passes_what_holds_while_it_changes(own_headgate: Headgate) -> None:
    """40 calls at once, while top-ups come and the time zone changes: spend stays within the whole, and is recorded."""
    most, top_up = 40_000, 5_000  # some calls fit before the first top-up, and not all behind the last
    budget_id = budget(own_headgate, most, window="day")

    def step(number: int) -> None:
        if number % 10 == 5:
            adjust(own_headgate, budget_id, amount_nano_usd=top_up)
            zone = {"time_zone": ZONES[number // 10]}
            assert own_headgate.call("PATCH", OWN, json=zone, headers={"if-match": "*"}).status_code in {200, 412}
        else:
            own_headgate.chat(MODEL, stream=number % 2 == 0)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(step, range(40)))
    shown = settled(own_headgate, budget_id)
    assert 0 < shown["spent_nano_usd"] <= most + 4 * top_up
    assert shown["spent_nano_usd"] == recorded(own_headgate)


def test_a_change_of_zone_gives_nothing_back(own_headgate: Headgate) -> None:
    """Whoever has spent a day, a week or a month has spent it in every zone."""
    budgets = [budget(own_headgate, 300 * INPUT + 40 * OUTPUT, window=window) for window in ("day", "week", "month")]
    while own_headgate.chat(MODEL, max_tokens=8).status_code == 200:
        settled(own_headgate, budgets[0])  # else what is reserved refuses the next one, and not what is spent
    spent = [settled(own_headgate, budget_id)["spent_nano_usd"] for budget_id in budgets]
    assert min(spent) > 0
    for zone in ZONES:
        shown = own_headgate.get(OWN)
        changed = own_headgate.patch(OWN, {"time_zone": zone}, if_match=shown.headers["etag"])
        assert (changed.status_code, changed.json()["data"]["time_zone"]) == (200, zone)
        assert [state(own_headgate, budget_id)["spent_nano_usd"] for budget_id in budgets] == spent
        assert_error(own_headgate.chat(MODEL, max_tokens=8), 402, openai=True)


def test_the_organisation_is_ones_own(own_headgate: Headgate, headgate: Headgate) -> None:
    """Another's is none; a zone that is none is refused; an old version, too."""
    mine, theirs = own_headgate.get(OWN).json()["data"], headgate.get(OWN).json()["data"]
    assert mine["id"] != theirs["id"]
    assert_error(own_headgate.get(f"/api/v1/orgs/{theirs['id']}"), 404, openai=False)
    tag = own_headgate.get(OWN).headers["etag"]
    for zone in ("Mars/Olympus", "../etc/passwd", "Europe"):
        assert_error(own_headgate.patch(OWN, {"time_zone": zone}, if_match=tag), 422, openai=False)
    assert own_headgate.patch(OWN, {"name": "Zürich"}, if_match=tag).json()["data"]["name"] == "Zürich"
    assert_error(own_headgate.patch(OWN, {"name": "x"}, if_match=tag), 412, openai=False)
    assert_error(own_headgate.patch(OWN, {"name": "x"}), 428, openai=False)
