"""Each of production's rules bites: what breaks it meets the platform's own error, and what is within passes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.contract.support.odd_server import OddServer
from tests.contract.support.production_worker import ProductionWorker
from tools.ports import HOST
from tools.production.rules import RULES

DELAY_MS = 60
SETTINGS = {
    "DELAY_MS": DELAY_MS,
    "QUERIES": 10,
    "RESET_SECONDS": 1,
    "OVERLOAD_SECONDS": 3,
    "ALARM_LATE_SECONDS": 2,
    "MESSAGE_LATE_SECONDS": 2,
    "WAIT_UNTIL_MS": 600,
}


class Slow(BaseHTTPRequestHandler):
    """Counts the calls that it has at once."""

    at_once = most_at_once = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            Slow.at_once += 1
            Slow.most_at_once = max(Slow.most_at_once, Slow.at_once)
        time.sleep(0.2)
        with self.lock:
            Slow.at_once -= 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProductionWorker]:
    with OddServer(b"hello") as database:
        running = ProductionWorker(tmp_path_factory.mktemp("production"), SETTINGS, database.port)
        yield running
        running.stop()


def many(count: int) -> str:
    return " + ".join(["?"] * count)


D1_CASES: dict[str, tuple[str, list[Any], int, str]] = {
    "a value of 2 MB": ("SELECT length(?)", ["x" * 2_000_000], 1, ""),
    "and a byte": ("SELECT length(?)", ["x" * 2_000_001], 1, "string or blob too big: SQLITE_TOOBIG"),
    "100 parameters": (f"SELECT {many(100)}", [1] * 100, 1, ""),
    "and one": (f"SELECT {many(101)}", [1] * 101, 1, "too many SQL variables"),
    "100 KB a statement": (f"SELECT '{'x' * 99_991}'", [], 1, ""),
    "and a byte of it": (f"SELECT '{'x' * 99_992}'", [], 1, "statement too long: SQLITE_TOOBIG"),
    "LIKE of 50 bytes": ("SELECT 'x' LIKE ?", ["x" * 50], 1, ""),
    "and a byte of LIKE": ("SELECT 'x' LIKE ?", ["x" * 51], 1, "LIKE or GLOB pattern too complex"),
    "32 arguments": (f"SELECT max({', '.join('1' * 32)})", [], 1, ""),
    "and one argument": (f"SELECT max({', '.join('1' * 33)})", [], 1, "too many arguments on function max"),
    "as many queries as an invocation may have": ("SELECT 1", [], SETTINGS["QUERIES"], ""),
    "and one query": ("SELECT 1", [], SETTINGS["QUERIES"] + 1, "Too many API requests by single Worker invocation"),
}


@pytest.mark.parametrize("case", D1_CASES)
def test_d1(worker: ProductionWorker, case: str) -> None:
    """Each limit takes what is just within, far away, and refuses one more."""
    sql, values, times, error = D1_CASES[case]
    told = worker.ask("d1", sql, values, times)
    if error:
        assert error in told["error"]
    else:
        assert told["ms"] >= DELAY_MS * times * 0.9


def test_postgres_is_far_away_too(worker: ProductionWorker) -> None:
    assert worker.ask("talk")["ms"] >= DELAY_MS * 0.9


def reached(worker: ProductionWorker, *call: Any) -> Any:
    """Call an object until it is neither reset nor overloaded; return what came of it."""
    while (told := worker.ask("call", *call)).get("marks"):
        pass
    return told


def test_an_object_takes_2_mb(worker: ProductionWorker) -> None:
    assert reached(worker, "large", "measure", 2_000_000)["told"] == 2_000_000
    assert "SQLITE_TOOBIG" in reached(worker, "large", "measure", 2_000_001)["error"]


def test_objects_are_far_away_and_reset(worker: ProductionWorker) -> None:
    """Calls in flight fail as the platform's do, some after their work was done; the object's memory is gone."""
    told = []
    end = time.monotonic() + 6
    while time.monotonic() < end:
        told += worker.ask("both", [{"do": "call", "with": ["reset", "call"]}] * 4)
    answers = [one for one in told if "told" in one]
    failures = [one for one in told if "error" in one and "reset" in one["error"]]
    assert all(one["ms"] >= DELAY_MS * 0.9 for one in answers)
    assert failures
    assert all(one["marks"] == ["retryable"] for one in failures)
    counts = [one["told"] for one in answers]
    assert any(after < before for before, after in pairwise(counts)), "no memory was lost"
    done = len(worker.ask("told", "reset"))
    assert len(answers) < done <= len(told), "none of what failed had done its work"


def test_objects_are_overloaded(worker: ProductionWorker) -> None:
    told = [worker.ask("call", f"overloaded-{number}", "call") for number in range(60)]
    assert {tuple(one["marks"]) for one in told if "overloaded" in one.get("error", "")} == {
        ("retryable", "overloaded")
    }


def test_alarms_are_late_and_ring_twice(worker: ProductionWorker) -> None:
    due_ms = time.time() * 1000 + 500
    names = [f"alarm-{number}" for number in range(24)]
    for name in names:
        assert "error" not in reached(worker, name, "ring", due_ms)
    time.sleep(max(0, due_ms / 1000 + SETTINGS["ALARM_LATE_SECONDS"] + 1 - time.time()))
    rung = [[float(one) - due_ms for one in worker.ask("told", name)] for name in names]
    assert all(rung)
    assert any(len(times) > 1 for times in rung), "none rang twice"
    assert any(times[0] > 400 for times in rung), "none was late"


def test_kv_is_written_once_a_second_and_read_old(worker: ProductionWorker) -> None:
    name = "a"
    assert worker.ask("get", [name]) == {name: None}
    assert worker.ask("put", name, "first") == "put"
    assert "429" in worker.ask("put", name, "second")["error"]
    assert worker.ask("get", [name]) == {name: None}, "what is not there is not there for a minute"
    time.sleep(1.1)
    assert worker.ask("put", name, "third") == "put"
    assert worker.ask("put", "b", "first") == "put"
    assert worker.ask("get", ["b", name]) == {"b": "first", name: None}
    time.sleep(1.1)
    assert worker.ask("put", "b", "second") == "put"
    assert worker.ask("get", ["b"]) == {"b": "first"}


def test_messages_come_twice_late_and_three_times_in_vain(worker: ProductionWorker) -> None:
    sent = [f"{number:03}" for number in range(60)]
    for start in range(0, len(sent), 10):
        assert worker.ask("send", sent[start : start + 10]) == "sent"
    assert worker.ask("send", ["poison"]) == "sent"
    dead = "headgate-production-dead poison"

    def told() -> list[str]:
        return list(worker.ask("told", "queue"))

    until(lambda: dead in told() and {one.split()[-1] for one in told()} >= set(sent))
    time.sleep(SETTINGS["MESSAGE_LATE_SECONDS"])
    came = [one.split()[-1] for one in told() if one.split()[-1] != "poison"]
    assert set(came) == set(sent)
    assert len(came) > len(sent), "none came twice"
    assert came != sorted(came), "all came in order"
    tries = told().count("headgate-production poison")
    assert tries == 3 * told().count(dead)


@pytest.mark.parametrize(
    ("name", "with_", "kept"),
    [
        ("short", [200], True),
        ("long", [1500], False),
        ("stream", [1200, 900], True),
        ("long stream", [2500, 900], False),
    ],
)
def test_what_waits_after_the_answer_is_cut(worker: ProductionWorker, name: str, with_: list[int], kept: bool) -> None:
    """The time counts from the answer's end: a stream has as long as it takes."""
    assert worker.ask("later", name, *with_) == "answered"
    time.sleep(max(with_) / 1000 + 0.5)
    assert (name in worker.ask("told", "later")) is kept


def test_a_seventh_connection_waits(worker: ProductionWorker) -> None:
    server = ThreadingHTTPServer((HOST, 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert worker.ask("fetch", f"http://{HOST}:{server.server_port}/", 20) == 20
    server.shutdown()
    server.server_close()
    assert Slow.most_at_once == 6


def test_time_stands_still_while_it_computes(worker: ProductionWorker) -> None:
    """JavaScript's clock does. Python's moves on by a millisecond for each look at it, in production too."""
    before, computed, waited = worker.ask("clock")
    assert computed[0] == before[0]
    assert computed[1] - before[1] <= 0.01
    assert waited[0] - computed[0] >= 45
    assert waited[1] - computed[1] >= 0.045


def test_the_docs_tell_each_rule() -> None:
    """docs/production.md has each figure with its source, and none that is no rule."""
    text = (Path(__file__).parents[2] / "docs" / "production.md").read_text(encoding="utf-8")
    told = {name: (int(figure.replace(",", "")), source) for name, figure, source in re.findall(
        r"^\| `(\w+)` \| ([\d,]+) \|.*\| <(\S+)> \|$", text, re.MULTILINE
    )}  # fmt: skip
    assert told == {name: (rule.figure, rule.source) for name, rule in RULES.items()}


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not met():
        assert time.monotonic() < deadline, "not within 40 s"
        time.sleep(0.3)
