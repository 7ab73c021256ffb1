"""One property over all histories of a gate with rules: what it decides is what its calls and records say.

Three gates live through the same history. One never dies, and has room for all its counters; one dies after each call;
one now and then, and has room for hardly any. All answer the same, as a model that only adds up (gate_model.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lib.admission.decision import Ask
from lib.admission.gate import BATCH_ROWS, FLUSH_AFTER_MS
from lib.admission.protocol import IS_NEW
from lib.admission.rules import EACH, Budget, Limit, Policy, Subject, Unit
from tests.contract.worker.gate_calls import Player, Step
from tests.unit.admission import test_decision_machine as decisions
from tests.unit.admission.gate_model import Call, Model, Plan, rule_steps, shown
from tests.unit.admission.sqlite_sql import Died, SqliteSql
from tests.unit.admission.test_decision_machine import ASKS, BEGIN, DAY, PAUSES, bound_of

MOST_RULES = 4  # of each kind
# Few places, so that calls meet: all of them, each by itself, and some.
SCOPES = st.sampled_from([Subject("org", "o"), Subject("org", "o"), Subject("key", EACH), Subject("key", "k1", "m1")])
LIMITS = st.builds(lambda limit, scope: replace(limit, scope=scope), decisions.LIMITS, SCOPES)
BUDGETS = st.builds(lambda budget, scope: replace(budget, scope=scope), decisions.BUDGETS, SCOPES)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
PLANS = st.builds(
    Plan,
    ask=ASKS,
    patience=st.sampled_from([0, 1, 500, 5_000, 90_000, 2 * DAY]),
    part=st.sampled_from([0, 0, 3, 10]),
    surplus=st.sampled_from([0, 7]),
    tokens=st.sampled_from([0, 0, 3, 8]),
    estimated=st.booleans(),
)
# To open, by somebody who knows of rules or not; an opening that comes again; a settlement.
ITEMS = st.one_of(
    st.tuples(st.sampled_from(["open", "open", "open twice", "bare"]), PLANS),
    st.tuples(st.sampled_from(["again", "settle", "settle twice", "settle, again"]), st.integers(0, 30)),
)


class Histories(RuleBasedStateMachine):
    """Three gates and all that ever happened to them. `tape` is the history of the one that dies now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = SqliteSql()  # of the one that dies now and then
        self.steady, self.dying = Player(SqliteSql()), Player(SqliteSql())
        self.mortal = Player(self.storage, most=1)
        self.model = Model()
        self.tape: list[tuple[Step, Any]] = []
        self.now = self.clock = BEGIN  # what clocks show, and the latest that any has shown
        self.names = 0
        self.version = 1
        self.changes = 0  # of the rules
        self.carried: list[Any] = []

    def play(self, name: str, *values: Any) -> Any:
        """Make one call to each of the gates; return what all of them answer."""
        step = [name, *values]
        told = self.note(step)
        others = [player.play(step) for player in (self.steady, self.dying)]
        if name != "next_alarm":
            assert others == [told, told], step
        self.dying.play(["crash"])
        if self.clock > self.now:  # a gate that has just been made has not seen the time that the others have
            self.dying.play(["counters", self.clock])
        return told

    def note(self, step: Step) -> Any:
        try:
            told = self.mortal.play(step)
        except Died:  # nothing of it was done: a gate that is made anew is asked again
            self.mortal.play(["crash"])
            self.mortal.play(["counters", self.clock])
            told = self.mortal.play(step)
        self.tape.append(deepcopy((step, told)))
        return told

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names:03}"

    # The rules

    @initialize(limits=st.lists(LIMITS, max_size=3), budgets=st.lists(BUDGETS, max_size=3), zone=ZONES)
    def begin(self, limits: list[Limit], budgets: list[Budget], zone: str) -> None:
        named = [replace(limit, id=self.name("l")) for limit in limits]
        self.change(Policy(zone, tuple(named), tuple(replace(budget, id=self.name("b")) for budget in budgets)))

    def change(self, policy: Policy) -> None:
        """What changes in one rule alone is told alone. Accounts stay valid, but where there were no rules at all."""
        self.changes += 1
        self.version += self.model.policy.empty and not policy.empty
        for step in rule_steps(self.model.policy, policy):
            assert self.play(*step, self.now) == self.version, step
        self.model.change(policy, self.clock)

    @rule()
    def accounts_change(self) -> None:
        """Nobody is let in who was judged before."""
        self.version += 1
        assert self.play("bump") == self.version

    @rule(limit=LIMITS, budget=BUDGETS, both=st.booleans())
    def rules_come(self, limit: Limit, budget: Budget, *, both: bool) -> None:
        policy = self.model.policy
        if len(policy.budgets) < MOST_RULES:
            policy = replace(policy, budgets=(*policy.budgets, replace(budget, id=self.name("b"))))
        if both and len(policy.limits) < MOST_RULES:
            policy = replace(policy, limits=(*policy.limits, replace(limit, id=self.name("l"))))
        self.change(policy)

    @rule(limit=LIMITS, budget=BUDGETS, index=st.integers(0, 3))
    def rules_change(self, limit: Limit, budget: Budget, index: int) -> None:
        """One limit gets other numbers, and one budget another amount or mode."""
        limits, budgets = list(self.model.policy.limits), list(self.model.policy.budgets)
        if limits:
            at = index % len(limits)
            limits[at] = replace(limits[at], most=limit.most)
            if Unit.CONCURRENT not in (limits[at].unit, limit.unit):
                limits[at] = replace(limits[at], window_ms=limit.window_ms, burst=limit.burst)
        if budgets:
            at = index % len(budgets)
            budgets[at] = replace(budgets[at], most=budget.most, hard=budget.hard)
        self.change(replace(self.model.policy, limits=tuple(limits), budgets=tuple(budgets)))

    @rule(limits=st.integers(0, 4), budgets=st.integers(0, 4))
    def rules_go(self, limits: int, budgets: int) -> None:
        """The first ones do, or all of them."""
        policy = self.model.policy
        self.change(replace(policy, limits=policy.limits[limits:], budgets=policy.budgets[budgets:]))

    @rule(zone=ZONES)
    def the_organisation_moves(self, zone: str) -> None:
        self.change(replace(self.model.policy, time_zone=zone))

    # The calls

    @rule(plan=PLANS, times=st.integers(1, 12))
    def many_ask(self, plan: Plan, times: int) -> None:
        self.send([("open", plan)] * times)

    @rule(items=st.lists(ITEMS, min_size=1, max_size=6))
    def a_batch(self, items: list[tuple[str, Any]]) -> None:
        self.send(items)

    @rule(items=st.lists(ITEMS, min_size=1, max_size=4), behind=st.sampled_from([1, 2, None]))
    def a_batch_by_an_old_policy(self, items: list[tuple[str, Any]], behind: int | None) -> None:
        """Nobody is let in but those whose accounts are new, and those who settle do."""
        self.send(items, IS_NEW if behind is None else max(0, self.version - behind))

    def send(self, items: list[tuple[str, Any]], version: int | None = None) -> None:
        # What comes twice in a batch comes twice in a row: so it is known in what order things were decided.
        unique: dict[tuple[bool, str], tuple[str, Call, int]] = {}
        for item in items:
            for entry in self.planned(*item):
                late = entry[1].rules_then not in (0, self.changes) and (True, entry[1].id) in unique
                if entry[0] == "settle" or not late:  # nobody who has settled asks anew under other rules
                    unique.setdefault((entry[0] == "settle", entry[1].id), entry)
        rows = [row for kind, call, times in unique.values() for row in [self.row(kind, call)] * times]
        sent = self.version if version is None else version
        told = self.play("handle", sent, rows, self.now)
        current, answers = (told, None) if isinstance(told, int) else (told[0], dict(told[1]))
        assert current == self.version
        allowed = sent in (current, IS_NEW)
        for kind, call, _ in unique.values():
            if kind == "settle":
                self.settled(call)
            elif allowed:
                self.opened(kind, call, answers)
        assert not answers

    def opened(self, kind: str, call: Call, answers: dict[str, Any] | None) -> None:
        """Where there are no rules everybody is let in, also who asks for nothing; elsewhere each has an answer."""
        if answers is not None and kind != "bare":
            self.answered(call, answers.pop(call.id))
            return
        assert answers is not None or self.model.policy.empty
        if self.model.policy.empty and call.state == "asked":
            self.let_in(call, None)

    def planned(self, kind: str, what: Any) -> list[tuple[str, Call, int]]:
        """Return what to send of a call, and how often."""
        times = 2 if kind.endswith("twice") else 1
        if isinstance(what, Plan):
            return [("bare" if kind == "bare" else "open", self.new_call(what), times)]
        known = [call for call in self.model.calls if not call.forgotten and (call.state != "asked" or kind == "again")]
        if not known:
            return []
        call = known[what % len(known)]
        settled = [("settle", call, times)] if kind != "again" else []
        # Who has ended is brought again only by somebody who was slow, and not while rules change.
        brought = kind.endswith("again") and (call.state in ("asked", "open") or call.rules_then == self.changes)
        return settled + ([("again", call, times)] if brought else [])

    def new_call(self, plan: Plan) -> Call:
        least = bound_of(plan.ask, plan.ask.output_tokens or 0)
        guess = (plan.surplus or None) if least is None else least // 2
        call = Call(self.name("c"), plan.ask, self.now + plan.patience, guess, plan)
        self.model.calls.append(call)
        return call

    def row(self, kind: str, call: Call) -> list[Any]:
        if kind == "settle":
            return call.settling
        return call.opening[:3] if kind == "bare" else call.opening

    def answered(self, call: Call, answer: list[Any]) -> None:
        """Hold one answer against what the model knows at that moment."""
        code, rule_id, _, granted, standing, *_ = answer
        # One that nobody counted may be brought anew when there are other rules: it is decided as if it were new.
        if call.state != "asked" and (call.rules or call.state != "open"):
            assert (code, granted) == ("", call.granted)
        elif code:
            self.refused_rightly(call, code, rule_id)
        else:
            self.let_in(call, granted)
            self.let_in_rightly(call)
        self.budget_left_is_true(call, standing[1])

    def let_in(self, call: Call, granted: int | None) -> None:
        output = granted if call.ask.output_tokens is None else call.ask.output_tokens
        concerning = [entry for entry, _ in self.model.concerning(call)]
        known = bound_of(call.ask, output or 0)
        hard = any(isinstance(entry, Budget) and entry.hard for entry in concerning)
        assert not (hard and known is None)
        bound = (known or 0) if concerning else 0
        call.rules_then = self.changes
        if call.state == "asked":  # else its settlement may be on its way
            surplus = 0 if hard else call.plan.surplus
            call.cost = (known or 0) * call.plan.part // 10 + surplus if known is not None or surplus else None
        self.model.let_in(call, self.clock, granted, bound)

    def let_in_rightly(self, call: Call) -> None:
        """No rule on its way is past what it promises; of what is granted, every token is covered."""
        for entry, subject in self.model.concerning(call):
            if isinstance(entry, Limit):
                assert self.model.rate(entry, subject, self.clock)[0] <= (entry.burst or entry.most)
            elif entry.hard:
                (used, _), (reserved, _) = self.spent(entry, subject)
                assert used + reserved <= entry.most

    def refused_rightly(self, call: Call, code: str, rule_id: str) -> None:
        """The rule that is named concerns the call, and has no room for it on one of its counters."""
        places = [found for found in self.model.concerning(call) if found[0].id == rule_id]
        assert any(self.has_no_room(call, code, entry, subject) for entry, subject in places)

    def has_no_room(self, call: Call, code: str, entry: Limit | Budget, subject: str) -> bool:
        if isinstance(entry, Limit):
            assert code == f"{entry.unit.value}_limit_reached"
            most = self.model.rate(entry, subject, self.clock)[1]
            amount = call.ask.estimate if entry.unit is Unit.TOKENS else 1
            return most is None or most + amount > (entry.burst or entry.most)
        assert entry.hard
        ask = call.ask
        if code == "cost_unknown":
            return bound_of(ask, 0) is None
        floor = ask.floor if ask.most_output is None else min(ask.floor, ask.most_output)
        bound = bound_of(ask, floor if ask.output_tokens is None else ask.output_tokens)
        assert (code, bound is None) == ("budget_exceeded", False)
        (_, used), (_, reserved) = self.spent(entry, subject)
        return bool(used + reserved + (bound or 0) > entry.most)

    def budget_left_is_true(self, call: Call, left: int | None) -> None:
        """What a caller is told that is left of its hard budgets, also of those that count for each by itself."""
        spans = [
            (entry.most - used[1] - reserved[1], entry.most - used[0] - reserved[0])
            for entry, subject in self.model.concerning(call)
            if isinstance(entry, Budget) and entry.hard
            for used, reserved in [self.spent(entry, subject)]
        ]
        if not spans:
            assert left is None
            return
        assert left is not None
        assert max(0, min(least for least, _ in spans)) <= left <= max(0, min(most for _, most in spans))

    def spent(self, budget: Budget, subject: str) -> Any:
        return self.model.spent(budget, subject, self.clock, self.model.charged)

    def settled(self, call: Call) -> None:
        if self.model.policy.empty and not any(call.rules for call in self.model.calls if call.state == "open"):
            call.capped = False  # nobody looks at what has no rules
        self.model.finish(call, self.clock)

    @rule(ask=ASKS)
    def somebody_asks_why(self, ask: Ask) -> None:
        """The same as a call would be told, and nothing is counted."""
        refusal = self.play("explain", ask._asdict(), self.now)
        if refusal is not None:
            call = Call("", ask, 0, None, Plan(ask, 0, 0, 0, 0, estimated=False))
            self.refused_rightly(call, refusal[0], refusal[1])

    # Time

    @rule(passed=PAUSES)
    def time_passes(self, passed: int) -> None:
        self.now += passed
        self.clock = max(self.clock, self.now)

    @rule(passed=st.sampled_from([1, 83, 1_000, 60_000, DAY]))
    def a_clock_is_set_back(self, passed: int) -> None:
        """It stands still for the gates until it has caught up: each is told what the latest is."""
        self.play("counters", self.clock)
        self.now -= passed
        self.dying.play(["counters", self.clock])

    @precondition(lambda self: self.now < self.clock)
    @rule()
    def the_clock_is_right_again(self) -> None:
        self.now = self.clock

    @rule(passed=PAUSES)
    def the_alarm_rings(self, passed: int) -> None:
        """As late as it likes, and twice."""
        self.time_passes(passed)
        self.play("expire", self.now)
        self.play("expire", self.now)
        self.model.give_up(self.now, self.clock)

    @rule()
    def the_next_alarm_is_in_time(self) -> None:
        due = self.play("next_alarm", self.now)
        deadlines = [call.deadline for call in self.model.calls if call.state == "open"]
        if deadlines:
            assert due is not None
            assert due <= max(min(deadlines), self.now + FLUSH_AFTER_MS)
        if self.outbox():
            assert self.play("next_alarm", self.now) == self.now + FLUSH_AFTER_MS

    @rule(statements=st.integers(0, 12))
    def the_storage_will_fail(self, statements: int) -> None:
        """At any statement, also in the midst of what must be whole."""
        self.storage.dies_after = statements

    @rule()
    def crash(self) -> None:
        self.storage.dies_after = None
        self.note(["crash"])
        if self.clock > self.now:
            self.note(["counters", self.clock])

    # The records

    def outbox(self) -> list[Any]:
        records: list[Any] = self.play("outbox")
        assert [entry["id"] for entry in records] == sorted({entry["id"] for entry in records})
        self.model.note(records)
        return records

    @rule()
    def take_a_batch(self) -> None:
        """Read the outbox; other calls may come before the store answers."""
        self.carried = self.outbox()

    @precondition(lambda self: self.carried)
    @rule(some=st.integers(0, 3), again=st.booleans())
    def the_store_has_it(self, some: int, *, again: bool) -> None:
        """All but some of it, in no order; its answer may come a second time."""
        part = self.carried[some:][::-1]
        self.play("delivered", part)
        self.carried = part if again else []

    @rule()
    def those_given_up_settle_on_the_way(self) -> None:
        """The store is told of a guess; before it answers, those who were taken for dead settle."""
        self.take_a_batch()
        known = [call for call in self.model.calls if not call.forgotten and call.state != "asked"]
        self.send([("settle", index) for index, call in enumerate(known) if call.state == "lost"])
        self.play("delivered", self.carried)
        self.each_call_has_the_record_of_its_end()

    @precondition(lambda self: self.carried)
    @rule(index=st.integers(0, 9))
    def the_store_refuses_one(self, index: int) -> None:
        self.play("reject", self.carried.pop(index % len(self.carried)))

    # What can be seen

    @rule()
    def the_counters_are_what_the_records_say(self) -> None:
        """What is spent is the sum of the records of its window: those delivered and those on their way."""
        self.outbox()
        told = self.play("counters", self.now)
        rules = shown(self.model.policy)
        assert set(told) == set(rules)
        for rule_id, (used, reserved, _) in told.items():
            self.counter_is_true(rules[rule_id], used, reserved)

    @precondition(lambda self: self.model.policy.budgets)
    @rule(index=st.integers(0, 3))
    def each_account_is_there(self, index: int) -> None:
        entry = self.model.policy.budgets[index % len(self.model.policy.budgets)]
        self.outbox()
        told = {who: numbers for who, *numbers in self.play("accounts", entry.id, "", 9, self.now)}
        for who in ("k1", "k2", "k3", "k4") if entry.scope.id == EACH else (entry.scope.id,):
            self.budget_is_true(entry, who, *told.get(who, (0, 0)))

    def counter_is_true(self, entry: Limit | Budget, used: int, reserved: int) -> None:
        subject = entry.scope.id
        if isinstance(entry, Limit):
            least, most = self.model.rate(entry, subject, self.clock)
            assert (least <= used, most is None or used <= -(-most // 1), reserved) == (True, True, 0)
            return
        self.budget_is_true(entry, subject, used, reserved)

    def budget_is_true(self, entry: Budget, subject: str, used: int, reserved: int) -> None:
        spent, held = self.model.spent(entry, subject, self.clock, self.recorded)
        assert (spent[0] <= used <= spent[1], held[0] <= reserved <= held[1]) == (True, True)

    def recorded(self, call: Call) -> int:
        return self.model.ledger[call.id][1]

    @rule()
    def each_call_has_the_record_of_its_end(self) -> None:
        """One that was given up is charged its bound; one that was settled is charged what it used, and once."""
        while len(records := self.outbox()) == BATCH_ROWS:  # there may be more behind these
            self.play("delivered", records)
        ended: Mapping[str, Call] = {call.id: call for call in self.model.calls if call.state in ("lost", "finished")}
        assert set(self.model.ledger) == set(ended)
        for call in ended.values():
            cause, cost = self.model.ledger[call.id]
            assert cause == call.state
            assert cost == self.model.charged(call) or not call.capped

    def teardown(self) -> None:
        """When every deadline is past, nothing is held; and all adds up."""
        latest = max([self.clock, *(call.deadline for call in self.model.calls)])
        self.now = self.clock = latest
        self.play("expire", latest)
        self.model.give_up(latest, latest)
        self.each_call_has_the_record_of_its_end()
        self.the_counters_are_what_the_records_say()
        told = self.play("counters", latest)
        for rule_id, entry in shown(self.model.policy).items():
            assert told[rule_id][1] == 0
            assert not (isinstance(entry, Limit) and entry.unit is Unit.CONCURRENT and told[rule_id][0])


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
