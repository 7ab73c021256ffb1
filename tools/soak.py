"""A long mixed load on a real Headgate whose Worker is killed again and again: do the budgets hold, does it add up?

Usage: python3 -m tools.soak      (what `make soak` runs)

It reads from the environment REQUESTS (20000), RESTARTS (10), CLIENTS (200), SEED (a number that sets who calls what),
STORE (d1, or postgres), LEDGER_RECORDS (store, or archive) and PRODUCTION (1: docs/production.md). docs/soak.md tells
what it checks. The last line says what it found; the exit code is 1 unless all is well, and the data is then kept.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tools import soak_archive, soak_checks, soak_steady
from tools.arguments import flags
from tools.defects import defects
from tools.project import ToolError
from tools.setup import set_up
from tools.soak_calls import (
    FIRST_GUESS_SECONDS,
    GRACE_SECONDS,
    LEAVING,
    MOST_TRIES,
    RETRIED,
    TIMEOUT_SECONDS,
    Client,
    Json,
    Kind,
    Outcome,
    chosen,
)
from tools.soak_memory import Memory
from tools.soak_rules import NEAR_A_KILL, POLL_SECONDS, Rules
from tools.soak_steady import Changes, Steady
from tools.stack import Stack
from tools.state import Store, store_named

LATE_SECONDS = 60  # an alarm, as in production
MOST_UNAVAILABLE = 0.001  # of all calls
NARROW_CLIENTS, WIDE_CLIENTS = 4, 2
CHANGERS = 30  # who change keys and rules: at production's distance each change takes some seconds
UPSTREAM_503 = "sim/busy-err503"
PROGRESS_SECONDS = 10.0
Made = TypeVar("Made")


@dataclass(frozen=True)
class Settings:
    requests: int
    restarts: int
    clients: int
    seed: int
    store: Store
    ledger_records: str

    @property
    def most_seconds(self) -> int:
        """How long the load may take: it is far less."""
        return 120 + self.requests // 20 + 60 * self.restarts


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ToolError."""
    numbers = {}
    for name, default in (("REQUESTS", 20_000), ("RESTARTS", 10), ("CLIENTS", 200), ("SEED", 1)):
        text = environment.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and len(text) <= 7):
            raise ToolError(f"{name} must be a whole number, not {text!r}")
        numbers[name.lower()] = int(text)
    if not numbers["requests"] or not 1 <= numbers["clients"] <= 1_000:
        raise ToolError("REQUESTS must be at least 1, and CLIENTS from 1 to 1000")
    store, where = store_named(environment.get("STORE") or "d1"), environment.get("LEDGER_RECORDS") or "store"
    return Settings(**numbers, store=store, ledger_records=where)


@dataclass
class Soak:
    """One run. `owner` is the one thread that starts processes: they end with it."""

    settings: Settings
    stack: Stack
    owner: ThreadPoolExecutor
    rules: Rules
    outcomes: list[Outcome] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    kills_ms: list[float] = field(default_factory=list)  # the same by the wall clock
    found: soak_checks.Findings = field(default_factory=soak_checks.Findings)
    begun: int = 0
    under_way: int = 0
    memory: Memory = field(default_factory=Memory)
    steady: list[Steady] = field(default_factory=list)
    kill_at: int = 0
    changes: int = 0
    up_seconds: float = 0.0  # of the load
    lasting: dict[str, float] = field(default_factory=dict)  # about how many seconds the latest calls of a model took
    due: asyncio.Event = field(default_factory=asyncio.Event)  # a kill
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def owned(self, work: Callable[[], Made]) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self.owner, work)

    async def run(self) -> bool:
        """Do everything; tell whether all is well."""
        manager = Client(self.stack.port)
        await self.rules.make(manager, self.settings.requests)
        self.steady = await soak_steady.make(self.rules, manager, NARROW_CLIENTS, WIDE_CLIENTS)
        if self.stack.production:
            await self.owned(lambda: self.memory.start(self.stack.inspector_port))
        await self._load(manager)
        leaked = await self._wait_for_deadlines(manager)
        records, now_ms = await self._records(manager), int(time.time() * 1000)
        overshoot = self._check(records, now_ms, await self._served())
        if self.settings.ledger_records == "archive":
            await self._move(records, manager)
        manager.close()
        await self.owned(self.memory.stop)
        await self.owned(self.stack.stop)
        leaked += self._left_on_disk()
        self._check_log()
        self._check_production()
        self._keep_outcomes()
        for words in self.found.wrong[: soak_checks.MOST_SHOWN]:
            say(f"WRONG: {words}")
        if len(self.found.wrong) > soak_checks.MOST_SHOWN:
            say(f"… and {len(self.found.wrong) - soak_checks.MOST_SHOWN} more")
        print(
            f"soak: requests={len(self.outcomes)} restarts={len(self.kills)} overshoot_nano_usd={overshoot}"
            f" ledger_difference_nano_usd={self.found.nano_usd} leaked_reservations={leaked}"
            f" wrong_refusals={self.found.wrong_refusals} changes={self.changes}"
            f" changes_per_second={self.changes / self.up_seconds:.1f}"
            f" calls_per_second={len(self.outcomes) / self.up_seconds:.0f}",
            flush=True,
        )
        return not (overshoot or leaked or self.found.wrong)

    async def _load(self, manager: Client) -> None:
        """Make all calls, and kill the Worker meanwhile."""
        self.up.set()
        changes, began = Changes(self.rules), time.monotonic()
        spare = await self.rules.add_key(manager, 0)
        watching = [
            self.rules.watch(Client(self.stack.port)),
            self._watch_provider(),
            self._tell(),
            *(changes.go_on(self.stack.port, self.up, spare, self.outcomes) for _ in range(CHANGERS)),
            *([self.memory.watch(Client(self.stack.port))] if self.stack.production else []),
        ]
        watchers = [asyncio.create_task(one) for one in watching]
        try:
            async with asyncio.timeout(self.settings.most_seconds), asyncio.TaskGroup() as tasks:
                for number in range(self.settings.clients):
                    tasks.create_task(self._client(random.Random(f"{self.settings.seed}-{number}")))  # noqa: S311
                for steady in self.steady:
                    tasks.create_task(
                        soak_steady.ask(steady, self.stack.port, self._steadily, self._is_over, self._judge)
                    )
                tasks.create_task(self._kill_often(manager))
        except TimeoutError:
            raise ToolError(f"{self.begun} calls in {self.settings.most_seconds} s: Headgate hangs") from None
        finally:
            for task in watchers:
                task.cancel()
            self.changes, self.up_seconds = changes.made, self.up_seconds + time.monotonic() - began
            say(f"{changes.made} changes of keys and rules, {len(changes.failed)} failed: {changes.failed[:2]}")
            if not changes.made:
                self.found.add("nobody could change a key or a rule")

    async def _client(self, chance: random.Random) -> None:
        client = Client(self.stack.port)
        secrets, shares = list(self.rules.keys), list(self.rules.keys.values())
        while self.begun < self.settings.requests:
            kind, key = chosen(chance), chance.choices(secrets, shares)[0]
            tag = self.rules.tags.get(key, "")
            for attempt in range(MOST_TRIES):
                outcome = await self._call(client, kind.tagged(tag), key, chance)
                if not outcome.to_retry:
                    break
                if outcome.error.get("code") == "service_unavailable":
                    kind = RETRIED  # the provider's, which will say so for ever
                await asyncio.sleep(0.1 * 2**attempt * chance.random())
        client.close()

    def _is_over(self) -> bool:
        return self.begun >= self.settings.requests

    async def _steadily(self, client: Client, kind: Kind, key: str, chance: random.Random) -> Outcome:
        return await self._begin(client, kind, key, chance, None)

    async def _judge(self, steady: Steady, outcome: Outcome) -> None:
        if outcome.status != 200:
            await asyncio.sleep(2 * soak_checks.SETTLED_SECONDS if not outcome.status else 0.1)  # for a kill to be told
        if steady.note(outcome, self.kills, self.found):
            with suppress(*NEAR_A_KILL):
                await self.rules.raise_budget(Client(self.stack.port), steady.budget, soak_steady.NARROW)

    async def _begin(self, client: Client, kind: Kind, key: str, chance: random.Random, stay: float | None) -> Outcome:
        await self.up.wait()
        self.begun += 1
        if self.begun >= self.kill_at:
            self.due.set()
        self.under_way += 1
        outcome = await client.call(kind, key, chance, stay)
        self.under_way -= 1
        self.outcomes.append(outcome)
        return outcome

    async def _call(self, client: Client, kind: Kind, key: str, chance: random.Random) -> Outcome:
        lasts = self.lasting.get(kind.model, FIRST_GUESS_SECONDS)
        stay = lasts * 1.1 * chance.random() if chance.random() < LEAVING else None
        outcome = await self._begin(client, kind, key, chance, stay)
        if outcome.end == "whole" and outcome.status == 200 and stay is None:
            self.lasting[kind.model] = lasts + (outcome.ended - outcome.began - lasts) / 4
        if outcome.status in (402, 429):  # clients that are refused come back, but not at once
            await asyncio.sleep(0.2 * chance.random())
        return outcome

    async def _kill_often(self, manager: Client) -> None:
        for number in range(1, self.settings.restarts + 1):
            self.kill_at = self.settings.requests * number // (self.settings.restarts + 1)
            self.due.clear()
            await self.due.wait()
            under_way, before = self.under_way, time.monotonic()
            await self.owned(self.stack.kill)
            self.kills.append(time.monotonic())
            self.kills_ms.append(time.time() * 1000)
            self.up.clear()
            if number % 2 == 0 and number < self.settings.restarts:
                orphans = self._let_their_time_run_out()
                say(f"kill {number}: the time of {orphans} orphans is made to run out")
            await self.owned(self.stack.start)
            say(f"kill {number} with {under_way} calls under way; back after {time.monotonic() - before:.1f} s")
            await self.rules.top_up(manager)
            self.up_seconds -= time.monotonic() - before
            self.up.set()

    async def _watch_provider(self) -> None:
        """Compare what the provider has served with the budgets, again and again."""
        while True:
            stats = await asyncio.to_thread(_get, f"{self.stack.sim_url}/__stats")
            self.rules.heed(stats["by_model"])
            await asyncio.sleep(POLL_SECONDS)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            say(f"{self.begun} calls begun, {len(self.kills)} kills, {self.rules.polls} looks at the counters")

    async def _wait_for_deadlines(self, manager: Client) -> int:
        """Wait until nothing is set aside, at most until all deadlines are over; return what is left."""
        deadline = (
            time.monotonic() + TIMEOUT_SECONDS + GRACE_SECONDS + 15 + (LATE_SECONDS if self.stack.production else 0)
        )
        say("the load is over; waiting for what is under way, and for the orphans' deadlines")
        while time.monotonic() < deadline:
            with suppress(*NEAR_A_KILL):
                await self.rules.look(manager)
                if not self.rules.held():
                    return 0
            await asyncio.sleep(0.5)
        return self.rules.held()

    async def _records(self, manager: Client) -> dict[str, Json]:
        """All records by their ids; a second look at the counters is taken just before."""
        listed = manager.listed("/api/v1/usage/records?limit=100", self.rules.admin)
        records = {record["id"]: record async for record in listed}
        await self.rules.look(manager)
        return records

    async def _served(self) -> Json:
        """What the simulated provider says that it served, once nobody calls it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (stats := await asyncio.to_thread(_get, f"{self.stack.sim_url}/__stats"))["active"]:
            if time.monotonic() > deadline:
                self.found.add(f"the provider still has {stats['active']} calls under way")
                break
            await asyncio.sleep(0.2)
        return stats

    def _check(self, records: dict[str, Json], now_ms: int, served: Json) -> int:
        rows, found = list(records.values()), self.found
        say(f"ends: {_tally(outcome.end for outcome in self.outcomes)}")
        say(f"statuses: {_tally(str(outcome.status) for outcome in self.outcomes)}")
        say(f"errors: {_tally(str(outcome.error.get('code')) for outcome in self.outcomes if outcome.error)}")
        say(f"records: {len(rows)}: {_tally(row['cause'] for row in rows)}")
        say(f"of them estimated: {sum(row['estimated'] for row in rows)}")
        self.rules.heed(served["by_model"])
        for budget in self.rules.budgets.values():
            told = f"the provider served {budget.served(served['by_model'])}"
            say(f"budget {budget.scope['type']} {budget.window}: spent {budget.spent} of {budget.limit}; {told}")
            if budget.served_above > 0:
                say(f"WRONG: the provider served {budget.served_above} above the limit of {budget.id}")
            if budget.overshoot > 0:
                say(f"WRONG: {budget.id} was {budget.overshoot} above its limit")
        for limit in self.rules.limits.values():
            if limit.above > 0:
                found.add(f"limit {limit.id} ({limit.unit}) was {limit.above} above")
        soak_checks.check_refusals(self.outcomes, self.rules.large, found)
        soak_checks.check_answers(self.outcomes, records, self.kills, found)
        soak_checks.check_lost(rows, self.kills_ms, self.outcomes, self.kills, found)
        soak_checks.check_bounds(self.rules, rows, found)
        overshoot = soak_checks.check_budgets(self.rules, rows, now_ms, found)
        soak_checks.check_provider(rows, served["by_model"], found)
        return overshoot + sum(budget.overshoot + budget.served_above for budget in self.rules.budgets.values())

    async def _move(self, records: dict[str, Json], manager: Client) -> None:
        left = await self.owned(lambda: soak_archive.let_days_pass(self.stack, self.settings.store))
        differing = soak_archive.differing(records, await self._records(manager))
        say(f"days later {left} records are in the store, the others in the archive; {differing} of all differ")
        if left or differing:
            self.found.add(f"{left} records have not moved to the archive; {differing} differ")

    def _gates(self) -> list[Path]:
        folder = self.stack.state.wrangler_data(self.settings.store) / "v3" / "do" / "headgate-Gate"
        return [path for path in folder.glob("*.sqlite") if path.name != "metadata.sqlite"]

    def _let_their_time_run_out(self) -> int:
        """Put the deadlines of all calls under way into the past, while the Worker is down."""
        changed = 0
        for path in self._gates():
            with closing(sqlite3.connect(path)) as database:
                sql = "UPDATE requests SET deadline_ms = 1 WHERE deadline_ms IS NOT NULL"
                changed += database.execute(sql).rowcount
                database.commit()
        return changed

    def _left_on_disk(self) -> int:
        """Return how many reservations the gates still hold, now that the Worker has ended."""
        leaked = 0
        for path in self._gates():
            with closing(sqlite3.connect(path)) as database:
                [[held]] = database.execute("SELECT count(*) FROM reservations WHERE charged IS NULL").fetchall()
                [[rows]] = database.execute("SELECT count(*) FROM requests").fetchall()
                [[rejected]] = database.execute("SELECT count(*) FROM rejected").fetchall()
            leaked += held
            if rows or rejected:
                self.found.add(f"{path.name}: {rows} requests and {rejected} rejected records are left", 1)
        return leaked

    def _keep_outcomes(self) -> None:
        """Beside the data, for whoever has to find out what went wrong."""
        names = ("id", "status", "end", "began", "ended", "error", "usage")
        lines = [
            json.dumps({"model": outcome.kind.model, **{name: getattr(outcome, name) for name in names}}) + "\n"
            for outcome in self.outcomes
        ]
        (self.stack.state.folder / "outcomes.jsonl").write_text("".join(lines), encoding="utf-8")

    def _check_production(self) -> None:
        """Few calls are told that we are not there, and the isolate stays small."""
        refused = [outcome for outcome in self.outcomes if outcome.status == 503]
        codes = _tally(str(outcome.error.get("code")) for outcome in refused if not _is_providers(outcome))
        ours = sum(1 for outcome in refused if not _is_providers(outcome))
        share = ours / max(1, len(self.outcomes))
        say(f"unavailable: {ours} of {len(self.outcomes)} calls, {share:.3%} ({codes or 'none'})")
        if not self.stack.production:
            return
        say(f"as in production: {self.memory.told()}")
        if share >= MOST_UNAVAILABLE:
            self.found.add(f"{share:.3%} of the calls got a 503 of ours")
        if self.memory.wrong():
            self.found.add(self.memory.wrong())

    def _check_log(self) -> None:
        for sign, met in defects(self.stack.log_path.read_text(encoding="utf-8")).items():
            self.found.add(f"the log says {sign} {len(met)} times: {met[0][:300]}")


def _is_providers(outcome: Outcome) -> bool:
    return outcome.kind.model.endswith(UPSTREAM_503.removeprefix("sim/"))


def _get(url: str) -> Json:
    with urllib.request.urlopen(url, timeout=30) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def _tally(words: Any) -> str:
    return ", ".join(f"{word or 'none'} {number}" for word, number in Counter(words).most_common())


_BEGAN = time.monotonic()


def say(words: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {words}", flush=True)


async def soak(settings: Settings, folder: Path) -> bool:
    variables = {"UPSTREAM_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS), "LEDGER_RECORDS": settings.ledger_records}
    stack = Stack(folder, store=settings.store, variables=variables)
    with ThreadPoolExecutor(1) as owner:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(owner, stack.start)
            how = ", as in production" if stack.production else ""
            say(f"{settings.requests} calls, {settings.restarts} kills, {settings.store}{how}; data and log: {folder}")
            return await Soak(settings, stack, owner, Rules(stack.api_key)).run()
        finally:
            await loop.run_in_executor(owner, stack.stop)


def main() -> int:
    flags(__doc__)
    settings = settings_of(os.environ)
    set_up(postgres=settings.store == "postgres")
    folder = Path(tempfile.mkdtemp(prefix="headgate-soak-"))
    if asyncio.run(soak(settings, folder)):
        shutil.rmtree(folder)
        return 0
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"soak: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
