"""The ledger: what every call was for and cost, listed, exported, and never anybody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.support import log
from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.names import letters, sim_model, upstream_name
from tests.e2e.support.poll import until
from tests.e2e.support.raw import Connection
from tests.e2e.support.shapes import assert_error
from tests.e2e.support.stacks import Stacks
from tools.stack import Stack

LEDGER, EXPORT = "/api/v1/ledger", "/api/v1/ledger/export"
NDJSON = "application/x-ndjson"
MANY = 6_000
# A row more than half a kilobyte long, in each dialect; `{place}` gives row numbers from 0 on.
ROWS = """
INSERT INTO usage_records (id, org_id, key_id, endpoint, model, provider, upstream_model, streamed, cause, estimated,
    input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, duration_ms, started_at, created_at, updated_at)
  SELECT {id}, api_keys.org_id, api_keys.id, 'chat.completions', '{model}', 'sim', 'chat', {no}, 'finished', {no},
    n, 0, 0, 0, 1, '2026-01-02T03:04:05.000001Z', '2026-01-02T03:04:05.000001Z', '2026-01-02T03:04:05.000001Z'
  FROM {numbers} JOIN api_keys ON api_keys.org_id = '{org}' AND api_keys.name = 'First key';
"""


def add_records(stack: Stack, org: str, model: str, number: int) -> None:
    """Write records of one moment past the gate, so that a test has thousands of them."""
    if STORE == "postgres":
        numbers = f"generate_series(0, {number - 1}) AS n"
        parts = {"id": "rpad('many-' || n || '-', 36, md5(random()::text))", "no": "false", "numbers": numbers}
    else:
        numbers = (
            f"(WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < {number - 1}) SELECT n FROM r)"
        )
        parts = {"id": "substr('many-' || n || '-' || hex(randomblob(18)), 1, 36)", "no": "0", "numbers": numbers}
    stack.target().execute(ROWS.format(model=model, org=org, **parts))


@pytest.fixture(scope="module")
def own_stack(stacks: Stacks) -> Iterator[Stack]:
    """A stack whose rows a test may write and spoil."""
    with stacks.new("ledger") as stack:
        yield stack


@pytest.fixture(scope="module")
def crowded(own_stack: Stack, http: httpx.Client) -> Headgate:
    """An organisation with thousands of records of one model."""
    add_records(own_stack, own_stack.org_id, "many", MANY)
    return Headgate(http, own_stack.base_url, own_stack.api_key)


def lines(answer: httpx.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    *found, end = map(json.loads, answer.text.splitlines())
    assert end == {"meta": {"next_cursor": None}}
    return found


def models(headgate: Headgate, **filters: str) -> list[str]:
    """What is listed; the export says the same, the other way round."""
    found = [str(entry["model"]) for entry in headgate.all_pages(LEDGER, limit=2, **filters)]
    assert [entry["model"] for entry in lines(headgate.get(EXPORT, **filters))] == found[::-1]
    return found


def test_an_entry_of_the_ledger(headgate: Headgate) -> None:
    """It tells whom a call was for, by which price it is charged, and how it ended; one by one it is the same."""
    key, model, user = headgate.new_key(), sim_model("chunks8"), letters()
    headgate.as_key(key.secret).chat(model, user=user)
    entry = until(lambda: next(iter(headgate.get(LEDGER, model=model).json()["data"]), None), "a record")

    assert (entry["key_id"], entry["end_user"], entry["team_id"], entry["user_id"]) == (key.id, user, None, None)
    assert (entry["endpoint"], entry["provider"], entry["upstream_model"]) == (
        "chat.completions", "sim", upstream_name(model),
    )  # fmt: skip
    assert (entry["cause"], entry["estimated"], entry["streamed"], entry["status"]) == ("finished", False, False, 200)
    assert entry["cost_nano_usd"] == entry["input_tokens"] * 100 + 8 * 400
    assert entry["price_version"]
    assert entry["started_at"] <= entry["recorded_at"] <= entry["updated_at"]
    assert headgate.get(f"{LEDGER}/{entry['id']}").json()["data"] == entry
    assert lines(headgate.get(EXPORT, model=model)) == [entry]
    assert headgate.get("/api/v1/usage/records", model=model).json()["data"] == [entry]


def test_filters_of_the_ledger(own_headgate: Headgate) -> None:
    """By time, model, key, end user, provider, cause and estimate; list and export agree on each."""
    key = own_headgate.new_key()
    first, second, refused = sim_model(), sim_model("nousage"), sim_model("err500")
    own_headgate.chat(first, user="alice")
    between = until(lambda: own_headgate.get(LEDGER).json()["data"], "a record")[0]["started_at"]
    own_headgate.as_key(key.secret).chat(second, user="bob")
    own_headgate.chat(refused)
    until(lambda: len(own_headgate.get(LEDGER).json()["data"]) == 3, "three records")

    later = (datetime.fromisoformat(between) + timedelta(microseconds=1)).isoformat()
    today = datetime.now(UTC).date()
    assert models(own_headgate) == [refused, second, first]
    assert models(own_headgate, to=later) == [first]
    assert models(own_headgate, **{"from": later}) == [refused, second]
    assert models(own_headgate, to=(today - timedelta(days=1)).isoformat()) == []
    assert models(own_headgate, **{"from": (today - timedelta(days=1)).isoformat()}) == [refused, second, first]
    assert models(own_headgate, model=second) == models(own_headgate, key_id=key.id) == [second]
    assert models(own_headgate, end_user="alice") == [first]
    assert models(own_headgate, provider="sim", cause="upstream_refused") == [refused]
    assert models(own_headgate, estimated="true") == [second]
    assert models(own_headgate, provider="openai") == []


def test_the_ledger_of_another_organisation(headgate: Headgate, own_headgate: Headgate) -> None:
    """Nobody sees it: not listed, not by id, not exported, not compared."""
    model = sim_model()
    headgate.chat(model)
    entry = headgate.record(model)

    assert own_headgate.get(LEDGER, model=model).json()["data"] == []
    assert_error(own_headgate.get(f"{LEDGER}/{entry['id']}"), 404, openai=False)
    assert lines(own_headgate.get(EXPORT, model=model)) == []
    assert own_headgate.post(f"{LEDGER}/actions/verify", {}).json()["data"]["budgets"] == []


def test_an_export_of_thousands_is_whole(crowded: Headgate) -> None:
    """Each record once, oldest first, though all are of one moment and the pages' borders fall among them."""
    found = lines(crowded.get(EXPORT, model="many"))
    assert len(found) == MANY
    assert [entry["id"] for entry in found] == sorted(entry["id"] for entry in found)
    assert {entry["input_tokens"] for entry in found} == set(range(MANY))
    accepted = crowded.call("GET", f"{LEDGER}?model=many", headers={"accept": NDJSON})
    assert lines(accepted) == found


def get_bytes(path: str, host: str, key: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\r\n".encode()


def read_to_the_end(connection: Connection) -> None:
    while connection.chunk():
        pass


def told(stack: Stack, **facts: Any) -> Json | None:
    """The newest log line of an export with these facts."""
    found = [line for line in log.lines(stack) if "exported" in line]
    matching = [line for line in found if all(line.get(name) == value for name, value in facts.items())]
    return matching[-1] if matching else None


def test_a_slow_reader_gets_the_whole_export(crowded: Headgate) -> None:
    """It slows the reading of the store down; nothing is lost."""
    with Connection(crowded.base_url, receive_buffer=8 * 1024) as connection:
        connection.send(get_bytes(f"{EXPORT}?model=many", connection.host, crowded.key))
        head = connection.head()
        connection.wait(1.5)
        body = connection.body(head)
    assert len(body.splitlines()) == MANY + 1


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_client_that_leaves_ends_its_export(crowded: Headgate, own_stack: Stack, how: str) -> None:
    """The rest is not read from the store, and the request ends."""
    before = told(own_stack, export="client_gone")
    with Connection(crowded.base_url, receive_buffer=8 * 1024) as connection:
        connection.send(get_bytes(f"{EXPORT}?model=many", connection.host, crowded.key))
        assert connection.head().status == 200
        connection.chunk()
        connection.leave(how)

    def ended() -> Json | None:
        line = told(own_stack, export="client_gone")
        return line if line != before else None

    assert until(ended, "the end of the export")["exported"] < MANY


def test_a_head_of_an_export(crowded: Headgate, own_stack: Stack) -> None:
    """It is answered at once, and nothing is exported."""
    before = told(own_stack)
    answer = crowded.call("HEAD", EXPORT)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, NDJSON, b"")
    log.line_of(own_stack, answer)
    assert told(own_stack) == before


@pytest.mark.skipif(STORE == "postgres", reason="its columns hold nothing else than times")
def test_an_export_that_fails_breaks_off(crowded: Headgate, own_stack: Stack) -> None:
    """A record that can't be read, far behind the first: the body is seen to be cut short, and never ends in order."""
    add_records(own_stack, own_stack.org_id, "spoilt", 4_000)
    own_stack.target().execute(
        "UPDATE usage_records SET started_at = '2026-01-02Tx' WHERE model = 'spoilt' AND input_tokens = 700"
    )
    with pytest.raises(httpx.RemoteProtocolError):
        crowded.get(EXPORT, model="spoilt")
    log.told(own_stack, "settlement_broke")


@pytest.mark.skipif(STORE != "postgres", reason="D1 is part of the same process here")
def test_an_export_whose_store_goes_away_breaks_off(crowded: Headgate, own_stack: Stack) -> None:
    """In the middle of it: the body is seen to be cut short, and never ends in order."""
    assert own_stack.postgres is not None
    with Connection(crowded.base_url, receive_buffer=8 * 1024) as connection:
        connection.send(get_bytes(f"{EXPORT}?model=many", connection.host, crowded.key))
        assert connection.head().status == 200
        connection.chunk()
        own_stack.postgres.kill()
        try:
            with pytest.raises((ConnectionError, ValueError)):
                read_to_the_end(connection)
        finally:
            own_stack.postgres.start()
    assert until(lambda: told(own_stack, export="store_unavailable"), "the end of the export")["exported"] < MANY
