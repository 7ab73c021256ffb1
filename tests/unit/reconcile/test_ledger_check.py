"""The comparison of an organisation's budgets with its ledger, over a real gate and a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lib.ledger import ledger_sums
from lib.reconcile import ledger_check
from lib.reconcile.ledger_check import BudgetCheck, OrgCheck
from lib.reconcile.verification import Verdict
from lib.secrets.operator_tokens import new_token
from lib.web import pipeline
from tests.seen import ROUTER
from tests.unit.fakes import raw_request, run
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.store.seeds import seed_org
from tests.unit.world import World, new_world

COST = 9000  # of each call, in nano-dollars
TOLD, ORG = b'{"usage": {"prompt_tokens": 10, "completion_tokens": 20}}', {"type": "org"}
CHECKS = "/api/v1/operator/ledger-checks"


class Subject:
    """An organisation with budgets that have room for all."""

    def __init__(self) -> None:
        self.world = new_world()
        self.world.upstream.script = [FakeAnswer(pieces=[TOLD])]

    def budget(self, scope: dict[str, Any] = ORG, window: str = "total") -> None:
        body = {"scope": scope, "window": window, "limit_nano_usd": 10**12}
        assert self.world.ask("POST", "/api/v1/budgets", body).status == 201

    def call(self, model: str = "sim/a", user: str = "u") -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "user": user, "max_tokens": 50}
        assert self.world.ask("POST", "/v1/chat/completions", body).status == 200

    def check(self) -> OrgCheck:
        return run(ledger_check.check_organisation(self.world.parts, self.world.org_id))

    def only(self) -> BudgetCheck:
        [check] = self.check().budgets
        return check

    def sql(self, text: str) -> None:
        self.check()  # all that is settled is in the store
        self.world.binding.connection.execute(text)


@pytest.fixture
def subject() -> Subject:
    return Subject()


def numbers(check: BudgetCheck) -> tuple[Verdict, int, int, int]:
    return check.verdict, check.spent, check.least, check.most


SCOPES = [
    (ORG, 4),
    ({"type": "model", "id": "sim/a"}, 3),
    ({"type": "end_user", "id": "v"}, 2),
    ({"type": "end_user", "id": "v", "model": "sim/a"}, 1),
    ({"type": "org", "model": "sim/b"}, 1),
    ({"type": "end_user", "id": "*"}, 4),
    ({"type": "model", "id": "*"}, 4),
    ({"type": "key", "id": "*"}, 4),
    ({"type": "key", "id": "*", "model": "sim/a"}, 3),
    ({"type": "end_user", "id": "nobody"}, 0),
]
WINDOWS = ["total", "day", "week", "month", "rolling:3600"]


@pytest.mark.parametrize(("scope", "calls"), SCOPES)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_counter_is_the_sum_of_its_scope(subject: Subject, scope: dict[str, Any], calls: int, window: str) -> None:
    """At every level and in every window, exactly, also right after the budget was made. Calls before do not count."""
    subject.call()
    subject.budget(scope, window)
    for model, user in (("sim/a", "u"), ("sim/a", "v"), ("sim/b", "v"), ("sim/a", "w")):
        subject.call(model, user)
    assert numbers(subject.only()) == (Verdict.AGREES, calls * COST, calls * COST, calls * COST)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("later", [0, 90])
@pytest.mark.parametrize(
    ("change", "ledger"),
    [
        ("UPDATE usage_records SET cost_nano_usd = cost_nano_usd + 1 WHERE model = 'sim/b'", 2 * COST + 1),
        ("UPDATE usage_records SET cost_nano_usd = NULL WHERE model = 'sim/b'", COST),
        ("DELETE FROM usage_records WHERE model = 'sim/b'", COST),
        ("UPDATE usage_records SET started_at = '2020-01-01T00:00:00.000000Z' WHERE model = 'sim/b'", COST),
    ],
)
def test_a_changed_record_is_found(subject: Subject, window: str, later: int, change: str, ledger: int) -> None:
    """Whatever was done to it, whether it is from the budget's first moments or later."""
    subject.budget(ORG, window)
    subject.world.clock.advance(seconds=later)
    subject.call()
    subject.call("sim/b")
    subject.sql(change)
    assert numbers(subject.only()) == (Verdict.DIFFERS, 2 * COST, ledger, ledger)
    assert subject.check().verdict is Verdict.DIFFERS


def test_the_subjects_that_differ_are_named(subject: Subject) -> None:
    """Of a budget of each; a record of somebody of whom the gate knows nothing is one of them."""
    subject.budget({"type": "end_user", "id": "*"})
    for user in ("u", "v", "w"):
        subject.call("sim/b", user)
    subject.world.clock.advance(seconds=90)
    subject.call("sim/a", "x")
    subject.sql("UPDATE usage_records SET end_user = 'y' WHERE end_user = 'x'")
    check = subject.only()
    assert [(line.subject, line.after, line.least) for line in check.found] == [("x", COST, 0), ("y", 0, COST)]
    assert (check.subjects, check.verdict) == (5, Verdict.DIFFERS)


@pytest.mark.parametrize("at_once", [1, 3, 500])
@pytest.mark.parametrize("page", [1, 2, 7, 500])
@pytest.mark.parametrize("rows", [1, 2, 500])
def test_subjects_and_records_are_read_piece_by_piece(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, at_once: int, page: int, rows: int
) -> None:
    """However the pages of the gate, the pieces of the store and what is compared together fall."""
    monkeypatch.setattr(ledger_check, "PAGE_SUBJECTS", page)
    monkeypatch.setattr(ledger_check, "PASS_SUBJECTS", at_once)
    monkeypatch.setattr(ledger_sums, "PIECE_ROWS_EACH", rows)
    subject.call("sim/a", "before-the-budget")
    subject.budget({"type": "end_user", "id": "*"})
    for number in range(5):
        subject.call("sim/a", f"early-{number}")
    subject.world.clock.advance(seconds=120)
    for number in range(4):
        subject.call("sim/a", f"u-{number}")
    check = subject.only()
    assert numbers(check) == (Verdict.AGREES, 9 * COST, 9 * COST, 9 * COST)
    subject.sql("UPDATE usage_records SET cost_nano_usd = 1 WHERE end_user IN ('early-3', 'u-2')")
    assert [line.subject for line in subject.only().found] == ["early-3", "u-2"]


def test_a_call_under_way_is_no_difference(subject: Subject) -> None:
    """It is reserved, not spent, and not on record."""
    subject.budget()
    subject.call()
    gate, org = subject.world.gates.of(subject.world.org_id), subject.world.org_id
    ask = {
        "path": {"org": org, "key": "k", "model": "m"}, "estimate": 1, "input_tokens": 1, "output_tokens": 1,
        "most_output": None, "choices": 1, "floor": 1, "input_price": 5, "output_price": 5, "call_price": 0,
    }  # fmt: skip
    record = {"id": "x", "cause": "lost", "cost_nano_usd": 5}
    now = int(subject.world.clock.now().timestamp() * 1000)
    gate.handle(gate.bump(), json.dumps([["x", now + 60_000, record, ask]]), now)
    assert numbers(subject.only()) == (Verdict.AGREES, COST, COST, COST)


def test_windows_that_are_over_do_not_count(subject: Subject) -> None:
    """Each new one begins with nothing, in the counter as in the ledger."""
    for window in WINDOWS:
        subject.budget(ORG, window)
    subject.call()
    subject.world.clock.advance(days=40)
    subject.call()
    checks = {check.row.spend_window: check.spent for check in subject.check().budgets}
    assert checks == dict.fromkeys(WINDOWS, COST) | {"total": 2 * COST}
    assert subject.check().verdict is Verdict.AGREES


def test_a_record_that_the_store_refused_is_told(subject: Subject) -> None:
    """It is in the gate only; no sum can be whole."""
    subject.call()
    subject.world.gates.of(subject.world.org_id).reject('{"id": "x", "cause": "finished"}')
    check = subject.check()
    assert (check.refused, check.verdict) == (1, Verdict.DIFFERS)


def test_a_budget_that_the_gate_does_not_know(subject: Subject) -> None:
    """Its maker got an error and has to try again; nothing is said of it."""
    subject.budget()
    subject.world.binding.connection.execute("UPDATE budgets SET id = replace(id, '-', 'x')")
    check = subject.only()
    assert (check.verdict, check.reason) == (Verdict.UNVERIFIABLE, "the gate does not know this budget")


def move(subject: Subject, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call be settled whenever the ledger has been read, up to so many times."""
    sums, moved = ledger_sums.sums, [0]

    async def reading(*arguments: Any) -> Any:
        found = await sums(*arguments)
        if moved[0] < at:
            moved[0] += 1
            await _settle_one(subject.world)
        return found

    monkeypatch.setattr(ledger_sums, "sums", reading)


async def _settle_one(world: World) -> None:
    body = {"model": "sim/a", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
    headers = {"authorization": f"Bearer {world.key.secret}", "content-type": "application/json"}
    raw = raw_request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
    response = await pipeline.handle(world.parts, ROUTER, raw)
    assert response.finish is not None
    await response.finish()


@pytest.mark.parametrize(("moves", "verdict"), [(1, Verdict.AGREES), (3, Verdict.AGREES), (100, Verdict.BUSY)])
def test_calls_meanwhile_are_no_difference(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, moves: int, verdict: Verdict
) -> None:
    """It is compared again until nothing moves; where that never comes, it is said, and is no agreement."""
    subject.budget()
    subject.world.clock.advance(seconds=90)
    subject.call()
    move(subject, moves, monkeypatch)
    assert subject.check().verdict is verdict


def prune(
    do: Callable[[str], object], until: str, whose: str = "provider, coalesce(team_id, ''), '', coalesce(end_user, '')"
) -> None:
    """Sum the days before `until` as the daily work does, and delete their records."""
    do(
        "INSERT INTO usage_days SELECT org_id, substr(started_at, 1, 10), model, key_id, count(*), 0, 0, 0, 0,"
        f" coalesce(sum(cost_nano_usd), 0), 0, 0, started_at, started_at, {whose} FROM usage_records"
        f" WHERE started_at < '{until}' GROUP BY 1, 2, 3, 4, 13, 14, 15, 16"
    )
    do(f"DELETE FROM usage_records WHERE started_at < '{until}'")
    do(
        f"INSERT INTO usage_marks (org_id, summed_until, pruned_until, created_at, updated_at)"
        f" SELECT id, '{until}', '{until}', created_at, updated_at FROM orgs WHERE true"
        " ON CONFLICT DO UPDATE SET summed_until = excluded.summed_until, pruned_until = excluded.pruned_until"
    )


def test_records_that_leave_meanwhile_are_no_difference(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    subject.budget()
    subject.world.clock.advance(days=1)
    subject.call()
    read, left = ledger_sums.sums, ["2026-05-06"]

    async def reading(*arguments: Any) -> list[ledger_sums.SubjectSum]:
        if left:
            prune(subject.world.binding.connection.execute, left.pop())
        return await read(*arguments)

    monkeypatch.setattr(ledger_sums, "sums", reading)
    assert numbers(subject.only()) == (Verdict.AGREES, COST, COST, COST)


def test_whole_days_take_the_place_of_deleted_records(subject: Subject) -> None:
    """A total since a day without calls is exact; a changed sum is found."""
    subject.budget(ORG)
    subject.budget({"type": "model", "id": "*"})
    subject.budget({"type": "key", "id": "*", "model": "sim/b"})
    for model in ("sim/a", "sim/b"):
        subject.world.clock.advance(days=1)
        subject.call(model)
    prune(subject.sql, "2026-05-06")
    found = {check.row.scope_type: numbers(check) for check in subject.check().budgets}
    assert found == {
        level: (Verdict.AGREES, calls * COST, calls * COST, calls * COST)
        for level, calls in (("org", 2), ("model", 2), ("key", 1))
    }
    subject.sql("UPDATE usage_days SET cost_nano_usd = cost_nano_usd + 1")
    verdicts = {check.row.scope_type: check.verdict for check in subject.check().budgets}
    assert verdicts == {"org": Verdict.DIFFERS, "model": Verdict.DIFFERS, "key": Verdict.AGREES}


def test_a_first_day_that_is_deleted_leaves_a_range(subject: Subject) -> None:
    """Calls before and after the budget's creation are one sum: within it nothing is proved, beyond it it differs."""
    subject.call()
    subject.budget()
    subject.call()
    subject.world.clock.advance(days=1)
    subject.call()
    prune(subject.sql, "2026-05-05")
    assert numbers(subject.only()) == (Verdict.UNVERIFIABLE, 2 * COST, COST, 3 * COST)
    subject.sql("UPDATE usage_records SET cost_nano_usd = 5 * cost_nano_usd")
    assert subject.only().verdict is Verdict.DIFFERS


@pytest.mark.parametrize("scope", [{"type": "end_user", "id": "*"}, {"type": "end_user", "id": "v"}])
def test_sums_of_days_know_end_users(subject: Subject, scope: dict[str, str]) -> None:
    """Of whole days exactly, of each and of one."""
    subject.budget(scope)
    for user in ("u", "v", "v"):
        subject.world.clock.advance(days=1)
        subject.call(user=user)
    prune(subject.sql, "2026-05-07")
    spent = (2 if scope["id"] == "v" else 3) * COST
    assert numbers(subject.only()) == (Verdict.AGREES, spent, spent, spent)
    subject.sql("UPDATE usage_days SET cost_nano_usd = cost_nano_usd + 1")
    assert subject.only().verdict is Verdict.DIFFERS


def test_the_oldest_sums_of_days_do_not_know_end_users(subject: Subject) -> None:
    """So a budget of theirs that reaches back so far can't be compared, which is said."""
    subject.budget({"type": "end_user", "id": "*"})
    subject.call()
    subject.world.clock.advance(days=1)
    subject.call()
    prune(subject.sql, "2026-05-05", whose="'', '', '', ''")
    check = subject.only()
    assert check.verdict is Verdict.UNVERIFIABLE
    assert "deleted" in (check.reason or "")


def test_a_gate_that_has_forgotten_leaves_the_first_minute_open(subject: Subject) -> None:
    """After a day nobody knows whether a call of the budget's first minute counts; later ones must."""
    subject.budget()
    subject.call()
    subject.world.clock.advance(days=2)
    subject.call()
    subject.world.gates.of(subject.world.org_id).expire(int(subject.world.clock.now().timestamp() * 1000))
    assert numbers(subject.only()) == (Verdict.AGREES, 2 * COST, COST, 2 * COST)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_sums_of_days_are_read_piece_by_piece(subject: Subject, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """A day is never split, and none is left out."""
    monkeypatch.setattr(ledger_sums, "PIECE_ROWS", rows)
    monkeypatch.setattr(ledger_sums, "PIECE_ROWS_EACH", rows)
    subject.budget(ORG)
    subject.budget({"type": "model", "id": "*"})
    for _ in range(3):
        subject.world.clock.advance(days=1)
        for model in ("sim/a", "sim/b"):
            subject.call(model)
    prune(subject.sql, "2026-05-07")
    assert [numbers(check) for check in subject.check().budgets] == [(Verdict.AGREES, *[6 * COST] * 3)] * 2


def test_a_comparison_asks_for_no_more_than_d1_gives(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and does not break off."""
    monkeypatch.setattr(ledger_check, "MOST_QUERIES", 0)
    subject.budget()
    subject.call()
    check = subject.only()
    assert (check.verdict, check.reason) == (Verdict.UNVERIFIABLE, "its records are more than can be read at once")


def test_too_many_calls_to_ask_about_leave_a_range(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is not asked about thousands."""
    monkeypatch.setattr(ledger_check, "MOST_UNCLEAR", 2)
    subject.budget()
    for _ in range(3):
        subject.call()
    assert numbers(subject.only()) == (Verdict.AGREES, 3 * COST, 0, 3 * COST)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
def test_a_changed_time_zone_is_no_difference(subject: Subject, zone: str) -> None:
    """Its windows may begin anew; what the ledger can't tell is said, and is no difference."""
    subject.budget(ORG, "day")
    subject.call()
    subject.world.clock.advance(minutes=30)
    now = subject.world.clock.now().isoformat().replace("+00:00", "Z")
    subject.sql(f"UPDATE orgs SET time_zone = '{zone}', updated_at = '{now}'")
    run(subject.world.gates.rules_changed(subject.world.org_id))
    subject.call()
    subject.world.clock.advance(minutes=30)
    subject.call()
    assert subject.only().verdict in (Verdict.AGREES, Verdict.UNVERIFIABLE)
    subject.world.clock.advance(days=2)
    subject.call()
    assert subject.only().verdict is Verdict.AGREES


def ask(world: World, token: str | None, query: str = "") -> Any:
    return world.ask("GET", f"{CHECKS}{query}", key=token)


def test_an_operator_sees_all_organisations(subject: Subject) -> None:
    """In pages, each with what was found."""
    world = subject.world
    subject.budget()
    subject.call()
    run(_more_organisations(world, 3))
    token = new_token(world.parts.config.secret, world.clock.now())
    first = ask(world, token, "?limit=2")
    rest = ask(world, token, f"?limit=2&cursor={first.body['meta']['next_cursor']}")
    assert (first.status, rest.status, rest.body["meta"]["next_cursor"]) == (200, 200, None)
    found = {check["org_id"]: check for check in first.data + rest.data}
    assert len(found) == 4
    [budget] = found[world.org_id]["budgets"]
    assert (budget["verdict"], budget["counter_nano_usd"], budget["ledger_least_nano_usd"]) == ("agrees", COST, COST)


async def _more_organisations(world: World, number: int) -> None:
    for _ in range(number):
        await seed_org(world.parts.database)


TOKENS: dict[str, Callable[[World], str | None]] = {
    "none": lambda _: None,
    "a key": lambda world: world.key.secret,
    "expired": lambda world: new_token(world.parts.config.secret, world.clock.now() - timedelta(minutes=2)),
    "too long": lambda world: new_token(world.parts.config.secret, world.clock.now() + timedelta(minutes=10)),
    "another secret": lambda world: new_token("x" * 32, world.clock.now()),
    "the secret": lambda world: world.parts.config.secret,
}


@pytest.mark.parametrize("kind", TOKENS)
def test_only_an_operator_may_ask(subject: Subject, kind: str) -> None:
    """401 for all else, before anything is looked at."""
    answer = ask(subject.world, TOKENS[kind](subject.world))
    assert (answer.status, answer.error["code"]) == (401, "invalid_operator_token")
    assert answer.facts["db_queries"] == 0


def test_an_operators_token_opens_nothing_else(subject: Subject) -> None:
    """It is no key."""
    token = new_token(subject.world.parts.config.secret, subject.world.clock.now())
    assert subject.world.ask("GET", "/api/v1/ledger", key=token).status == 401


def test_one_organisation_by_its_own_key(subject: Subject) -> None:
    """The same comparison, of its own budgets."""
    subject.budget({"type": "end_user", "id": "*"}, "day")
    subject.call()
    subject.sql("UPDATE usage_records SET cost_nano_usd = 1")
    answer = subject.world.ask("POST", "/api/v1/ledger/actions/verify", {})
    assert answer.status == 200
    assert (answer.data["verdict"], answer.data["refused_records"]) == ("differs", 0)
    [budget] = answer.data["budgets"]
    assert budget["found"] == [
        {
            "subject": "u",
            "verdict": "differs",
            "counter_before_nano_usd": COST,
            "counter_before_usd": "0.000009",
            "counter_nano_usd": COST,
            "counter_usd": "0.000009",
            "ledger_least_nano_usd": 1,
            "ledger_least_usd": "0.000000001",
            "ledger_most_nano_usd": 1,
            "ledger_most_usd": "0.000000001",
        }
    ]
    assert budget["reason"] == "the counter is not the sum of the records"
