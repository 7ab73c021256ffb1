"""The dimensions: what grows, and what is then asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.cases import PATH
from bench.growth import MIB, SETTLE_SECONDS, Copies, Figure, Ground, chat, identifier
from bench.load import Expected, Job
from lib.http.paging import encode_cursor

DAYS = 90
LEDGER_KEYS = 1_000
FIRST_MINUTES = 120
PROBED_KEYS = 100
EACH = {"type": "end_user", "id": "*"}


@dataclass(frozen=True)
class Dimension:
    """What grows, over which sizes, and what is measured at them. The whole effort takes all sizes."""

    name: str
    about: str
    sizes: tuple[int, ...]
    measure: Callable[[Ground, list[int]], Iterator[Figure]]
    main: str  # the figure that stands for it


def end_users(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Counted under one monthly budget of each."""
    made = ground.call("POST", "/api/v1/budgets", {"scope": EACH, "window": "month", "limit_usd": "1000000"})
    path = f"/api/v1/budgets/{made['data']['id']}"
    ground.load([chat("someone")], connections=1, requests=1)
    time.sleep(SETTLE_SECONDS)
    for first, size in zip([0, *sizes], sizes, strict=False):
        changed = {"subject": "replace(model.subject, 'someone', 'e' || i)"}
        ground.fill(Copies("counts", first, size, changed, "subject LIKE '%someone%' AND slot > 0"), gate=True)
        # One call of each, none of them in the budget's first minute, of which the gate is asked one by one.
        moment = f"strftime('%Y-%m-%dT%H:%M:%f', 'now', '+' || ({FIRST_MINUTES} + i / 1000.0) || ' seconds') || '000Z'"
        calls = {"id": identifier("i", "0007"), "end_user": "'e' || i", "started_at": moment}
        ground.fill(Copies("usage_records", first, size, calls, "end_user = 'someone'"))
        yield Figure("first call after a restart, ms", size, ground.milliseconds("POST", PATH, _body("e1")))
        yield Figure("WebAssembly.Memory then, MiB", size, ground.memory()["wasm_bytes"] / MIB)
        bodies = [chat(f"e{number}") for number in range(min(size, 1_500))]
        yield Figure("a call at 16 connections, CPU ms", size, ground.load(bodies).cpu_ms)
        yield Figure("a call, 9 a second, CPU ms", size, _slowly(ground, bodies))
        yield from ground.rows_a_call(size, bodies)
        change = {"limit_usd": str(1_000_000 + size)}
        yield Figure("a policy change, ms", size, ground.milliseconds("PATCH", path, change))
        time.sleep(SETTLE_SECONDS)
        yield Figure("WebAssembly.Memory after it, MiB", size, ground.memory()["wasm_bytes"] / MIB)
        yield from _verified(ground, size)


def _verified(ground: Ground, size: int) -> Iterator[Figure]:
    """The comparison of the gate's counters with the ledger, where each end user has called once."""
    before = ground.rows()[0]
    took = ground.milliseconds("POST", "/api/v1/ledger/actions/verify")
    yield Figure("verify-ledger, ms", size, took)
    yield Figure("verify-ledger, µs an end user", size, took * 1000 / size)
    yield Figure("rows that D1 reads for it, each end user", size, (ground.rows()[0] - before) / size)


def remembered(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Calls of the last day that the gate remembers, under a budget and a limit."""
    ground.call("POST", "/api/v1/budgets", {"scope": {"type": "org"}, "window": "month", "limit_usd": "1000000"})
    limit = {"scope": {"type": "org"}, "unit": "requests", "limit": 1_000_000, "window_seconds": 60}
    path = "/api/v1/limits/" + ground.call("POST", "/api/v1/limits", limit)["data"]["id"]
    ground.load([chat()], connections=1, requests=1)
    time.sleep(SETTLE_SECONDS)
    for first, size in zip([0, *sizes], sizes, strict=False):
        changed = {"id": identifier("i", "0001")}
        ground.fill(Copies("reservations", first, size, changed, "charged IS NOT NULL"), gate=True)
        yield Figure("first call after a restart, ms", size, ground.milliseconds("POST", PATH, _body()))
        yield Figure("a call at 16 connections, CPU ms", size, ground.load([chat()]).cpu_ms)
        yield Figure("a call, 9 a second, CPU ms", size, _slowly(ground, [chat()]))
        yield from ground.rows_a_call(size, [chat()])
        change = {"limit": 1_000_000 + size}
        yield Figure("a policy change, ms", size, ground.milliseconds("PATCH", path, change))


def rules(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Limits and budgets, half of them of each end user."""
    there = 0
    for size in sizes:
        for number in range(there, size):
            scope = EACH if number % 2 else {"type": "org"}
            limit = {"scope": scope, "unit": "requests", "limit": 1_000_000, "window_seconds": 60 + number // 4}
            budget = {"scope": scope, "window": "month", "limit_usd": str(1_000_000 + number)}
            kind, body = ("limits", limit) if number // 2 % 2 else ("budgets", budget)
            ground.call("POST", f"/api/v1/{kind}", body)
        there = max(there, size)
        ground.load([chat("e0")], requests=32)
        yield Figure("a call of one end user, 16 connections, CPU ms", size, ground.load([chat("e0")]).cpu_ms)
        many = [chat(f"e{number}") for number in range(1_500)]
        yield Figure("a call of 1,500 in turn, CPU ms", size, ground.load(many).cpu_ms)
        yield from ground.rows_a_call(size, many)
        added = {"scope": {"type": "org"}, "unit": "requests", "limit": 1_000_000, "window_seconds": 3_600}
        took = ground.milliseconds("POST", "/api/v1/limits", added)
        yield Figure("a rule more, ms", size, took)


def models(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Own names for models of one organisation, when a hundred keys come for the first time."""
    ground.call("PUT", "/api/v1/models/own", {"provider": "sim", "upstream_model": "chat"})
    ground.fill(_keys(0, PROBED_KEYS))
    for first, size in zip([0, *sizes], sizes, strict=False):
        ground.fill(Copies("models", first, size, {"id": "'own-' || i"}, "id = 'own'"))
        ground.call("POST", PATH, _body())
        before = ground.memory()

        def each() -> None:
            for number in range(PROBED_KEYS):
                ground.call("POST", PATH, _body(), key=ground.keys[number])

        yield Figure("first call of a key, CPU ms", size, ground.cpu_ms(each, PROBED_KEYS))
        after = ground.memory()
        held = (after["heap_bytes"] - before["heap_bytes"]) / MIB
        yield Figure(f"held for {PROBED_KEYS} keys, MiB", size, max(held, 0.0))
        yield Figure("a warm call, CPU ms", size, ground.load([chat()], connections=4).cpu_ms)
        yield from ground.rows_a_call(size, [chat()])


def keys(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Keys of one organisation."""
    for first, size in zip([0, *sizes], sizes, strict=False):
        ground.fill(_keys(first, size))
        ground.call("GET", "/api/v1/keys")
        yield Figure("first page of the list, ms", size, ground.milliseconds("GET", "/api/v1/keys", best_of=3))
        body = {"name": f"Key at {size}"}
        yield Figure("a new key, ms", size, ground.milliseconds("POST", "/api/v1/keys", body, best_of=3))
        ground.load([chat()], requests=32)
        yield Figure("a call, CPU ms", size, ground.load([chat()]).cpu_ms)
        yield from ground.rows_a_call(size, [chat()])
        probed = min(size, PROBED_KEYS)

        def each(count: int = probed) -> None:
            for number in range(count):
                ground.call("POST", PATH, _body(), key=ground.keys[number])

        yield Figure("first call of a key, CPU ms", size, ground.cpu_ms(each, probed))


def members(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """People in one organisation."""
    path = f"/api/v1/orgs/{ground.stage.org_id}/members"
    for first, size in zip([0, *sizes], sizes, strict=False):
        user = identifier("i", "0002")
        people = Copies("users", first, size, {"id": user, "email": "'p' || i || '@example.com'"})
        ground.fill(people, Copies("memberships", first, size, {"user_id": user, "role": "'developer'"}))
        ground.call("GET", path)
        yield Figure("first page of the list, ms", size, ground.milliseconds("GET", path, best_of=3))
        ground.load([chat()], requests=32)
        yield Figure("a call, CPU ms", size, ground.load([chat()]).cpu_ms)
        yield from ground.rows_a_call(size, [chat()])


def organisations(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Organisations in which nothing happens, and one that calls."""
    for first, size in zip([0, *sizes], sizes, strict=False):
        ground.fill(Copies("orgs", first, size, {"id": identifier("i", "0003")}))
        ground.load([chat()], requests=32)
        yield Figure("a call, CPU ms", size, ground.load([chat()]).cpu_ms)
        yield from ground.rows_a_call(size, [chat()])
        yield Figure("the hourly job, ms", size, ground.milliseconds("GET", "/__bench/hourly"))
        yield Figure("WebAssembly.Memory then, MiB", size, ground.memory()["wasm_bytes"] / MIB)


EXPORTED = 50_000  # records, in one body


def ledger(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Records of one organisation over 90 days, of 1,000 keys, before and after the hourly work."""
    ground.load([chat("e0")], connections=1, requests=1)
    time.sleep(SETTLE_SECONDS)
    ground.call("GET", "/readyz")
    ground.call("GET", "/api/v1/ledger")
    ground.fill(_keys(0, LEDGER_KEYS))
    largest = sizes[-1]
    moment = (
        f"strftime('%Y-%m-%dT%H:%M:%S', 'now', '-' || (i * {DAYS * 86_400} / {largest}) || ' seconds') || '.000000Z'"
    )
    for size in sizes:
        step = largest // size  # spread over all days at each size
        changed = {
            "id": identifier(f"({largest} - i)", "0004"),
            "key_id": identifier(f"((i / {step}) % {LEDGER_KEYS})", "0005"),
            "end_user": f"'e' || ((i / {step}) % 5000)",
            "model": f"'sim/m' || ((i / {step}) % 10)",
            "started_at": moment,
            "created_at": moment,
            "updated_at": moment,
        }
        ground.fill(Copies("usage_records", 0, largest, changed, step=step), then=_UNSUMMED)
        yield from _ledger_figures(ground, size)
        yield from _summed_figures(ground, size)
        ground.load([chat()], requests=32)
        yield Figure("a call, CPU ms", size, ground.load([chat()]).cpu_ms)
        yield from ground.rows_a_call(size, [chat()])


# What the marks say of records that came by the way that all come, and of which nothing has been summed.
_OLDEST = "(SELECT min(started_at) FROM usage_records)"
_UNSUMMED = (
    "DELETE FROM usage_days",
    "UPDATE usage_marks SET summed_until = '1970-01-01', pruned_until = '1970-01-01', piece_ends_at = NULL",
    f"UPDATE usage_marks SET unsummed_at = {_OLDEST}, oldest_at = {_OLDEST}",
)


def _summed_figures(ground: Ground, size: int) -> Iterator[Figure]:
    """The hourly work, and reports after it."""
    yield Figure("the hourly work sums it, s", size, ground.milliseconds("GET", "/__bench/hourly") / 1000)
    start = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (DAYS - 1) * 86_400))
    middle = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAYS // 2 * 86_400))
    deep = encode_cursor([middle, "sim/m5", *[""] * 5])
    for name, query in (
        ("by day, ms", "group_by=day"),
        ("by day, model and key, a page amid, ms", f"group_by=day,model,key&cursor={deep}"),
        ("by day and end user, a page, ms", "group_by=day,end_user"),
        ("by end user, a page, ms", "group_by=end_user"),
    ):
        took = ground.milliseconds("GET", f"/api/v1/usage?from={start}&{query}", best_of=2)
        yield Figure(f"usage, summed, {name}", size, took)


def _ledger_figures(ground: Ground, size: int) -> Iterator[Figure]:
    then = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() - 80 * 86_400))
    deep = encode_cursor([then, "ffffffff-ffff-7fff-bfff-ffffffffffff"])
    start = time.strftime("%Y-%m-%d", time.gmtime(time.time() - DAYS * 86_400))
    key = f"01a10000-0005-7000-8000-{7:012x}"
    for name, query in (
        ("first page, ms", ""),
        ("a page 80 days back, ms", f"cursor={deep}"),
        ("of one key, ms", f"key_id={key}&from={start}"),
        ("a filter without a match, ms", f"estimated=true&from={start}"),
    ):
        path = f"/api/v1/ledger?{query}"
        ground.call("GET", path)
        before = ground.rows()[0]
        yield Figure(name, size, ground.milliseconds("GET", path, best_of=2))
        if "80 days" in name:
            yield Figure("rows that D1 reads for that page", size, (ground.rows()[0] - before) / 2)
    usage = f"/api/v1/usage?from={start}&group_by=day"
    yield Figure("usage by day, 90 days, ms", size, ground.milliseconds("GET", usage))
    took = ground.milliseconds("GET", f"/api/v1/ledger/export?from={start}")
    yield Figure("a body of the export, s", size, took / 1000)
    yield Figure("the export, µs a row", size, took * 1000 / min(size, EXPORTED))
    yield Figure("a new key, ms", size, ground.milliseconds("POST", "/api/v1/keys", {"name": "One more"}, best_of=2))


def audit(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Rows of one organisation's audit log."""
    ground.call("POST", "/api/v1/keys", {"name": "First row"})
    for first, size in zip([0, *sizes], sizes, strict=False):
        changed = {"seq": "i + 100", "id": identifier("i", "0006"), "target": "'key:' || i"}
        ground.fill(Copies("audit_events", first, size, changed, "seq > 1"))
        ground.fill(Copies("audit_links", first, size, {"seq": "i + 100"}, "seq > 1"))
        for name, query in (("first page, ms", ""), ("a target without a match, ms", "?target=key:none")):
            ground.call("GET", f"/api/v1/audit{query}")
            yield Figure(name, size, ground.milliseconds("GET", f"/api/v1/audit{query}", best_of=2))
        took = ground.milliseconds("GET", "/api/v1/audit/export")
        yield Figure("the export, µs a row", size, took * 1000 / size)
        ground.load([chat()], requests=32)
        yield from ground.rows_a_call(size, [chat()])
        yield Figure("a new key (adds a row), ms", size, ground.milliseconds("POST", "/api/v1/keys", {"name": "x"}))


def open_streams(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Streams at once, of 150 events 20 ms apart, without usage asked for: each event passes the filter."""
    for size in sizes:
        ground.stage.restart()
        yield from _streams(ground, size, "chunks150-gap20", 150, at_once=size)


def stream_length(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Events of a stream that is made as fast as it can be, ten at once."""
    for size in sizes:
        ground.stage.restart()
        yield from _streams(ground, size, f"chunks{size}", size, at_once=10)


def _streams(ground: Ground, size: int, words: str, events: int, *, at_once: int) -> Iterator[Figure]:
    resting = ground.stage.workerd.resident_mib()
    body = chat(model=f"sim/chat-{words}", stream=True)
    job = Job(
        port=ground.stage.headgate.port,
        path=PATH,
        key=ground.stage.headgate.key,
        body=body,
        connections=at_once,
        milliseconds=0,
        requests=at_once,
        pause=0,
        expected=Expected(events=events + 3),
    )
    result = ground.measured(job)
    yield Figure("CPU ms a stream", size, result.cpu_ms)
    yield Figure("until the last byte, p99, s", size, result.total.p99 / 1000)
    yield Figure("resident memory more, MiB a stream", size, (ground.stage.workerd.resident_mib() - resting) / at_once)
    yield Figure("WebAssembly.Memory, MiB", size, ground.memory()["wasm_bytes"] / MIB)


def body_size(ground: Ground, sizes: list[int]) -> Iterator[Figure]:
    """Kilobytes of one chat call's text."""
    for size in sizes:
        body = _long(size * 1_000)
        ground.load([body], connections=1, requests=2)
        yield Figure(
            "CPU ms a call", size, ground.load([body], connections=1, requests=ground.effort.calls // 3).cpu_ms
        )
        yield Figure("WebAssembly.Memory, MiB", size, ground.memory()["wasm_bytes"] / MIB)


def _long(size: int) -> str:
    return chat().replace("Hello", "A long story. " * (size // 14 + 1))


def _body(user: str | None = None) -> dict[str, object]:
    return {
        "model": "sim/chat",
        "messages": [{"role": "user", "content": "Hello"}],
        **({"user": user} if user else {}),
    }


def _slowly(ground: Ground, bodies: list[str]) -> float:
    """The processor time of a call where few come: the alarms that follow them are shared by few."""
    before = ground.stage.workerd.cpu_seconds()
    result = ground.load(bodies, connections=1, pause=100, requests=ground.effort.calls)
    time.sleep(SETTLE_SECONDS)
    return (ground.stage.workerd.cpu_seconds() - before) * 1000 / result.requests


def _keys(first: int, last: int) -> Copies:
    changed = {"id": identifier("i", "0005"), "name": "'Key ' || i", "secret_hash": "key_hash(i)"}
    return Copies("api_keys", first, last, changed, "name = 'First key'")


TO_100_000 = (10, 1_000, 10_000, 100_000)
TO_A_MILLION = (1_000, 10_000, 100_000, 1_000_000)
DIMENSIONS = (
    Dimension(
        "End users",
        "end users counted under one monthly budget of each",
        TO_100_000,
        end_users,
        "a call, 9 a second, CPU ms",
    ),
    Dimension(
        "Calls of a day",
        "calls remembered (12 a second: a million)",
        TO_A_MILLION,
        remembered,
        "a call, 9 a second, CPU ms",
    ),
    Dimension(
        "Rules",
        "limits and budgets, half of them of each end user",
        (0, 8, 40, 100),
        rules,
        "a call of 1,500 in turn, CPU ms",
    ),
    Dimension("Models", "the organisation's own names for models", (10, 100, 1_000), models, "a warm call, CPU ms"),
    Dimension("Keys", "keys of one organisation", TO_100_000, keys, "a call, CPU ms"),
    Dimension("Members", "people in one organisation", TO_100_000, members, "a call, CPU ms"),
    Dimension(
        "Organisations",
        "organisations in which nothing happens",
        (10, 100, 1_000, 10_000),
        organisations,
        "a call, CPU ms",
    ),
    Dimension("Ledger", "records of 90 days, of 1,000 keys, on D1", TO_A_MILLION, ledger, "a call, CPU ms"),
    Dimension("Audit log", "rows of one organisation's log, on D1", TO_A_MILLION, audit, "first page, ms"),
    Dimension(
        "Open streams",
        "streams at once, 150 events 20 ms apart, filtered",
        (10, 50, 200, 500),
        open_streams,
        "CPU ms a stream",
    ),
    Dimension(
        "Stream length",
        "events of each of ten streams, filtered",
        (50, 500, 5_000, 20_000),
        stream_length,
        "CPU ms a stream",
    ),
    Dimension("Body size", "kilobytes of text in one call", (1, 100, 1_000, 4_000, 8_000), body_size, "CPU ms a call"),
)
