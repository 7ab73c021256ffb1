"""One property over all histories of a home and its regions: no cap is ever passed, and nothing that is lent is lost.

Messages are lost, come twice, late and out of order. Each gate may die after any step; its clock may then be another
one. The test keeps every call for ever and adds up anew.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lib.admission.decision import Ask
from lib.admission.gate import REMEMBERED_MS, Gate
from lib.admission.home_gate import HomeGate
from lib.admission.leases import LEAST_WINDOW_MS, POLICY_LEASE_MS, RATE_LEASE_MS
from lib.admission.regional_gate import Everything, RegionalGate
from lib.admission.rules import EACH, Budget, Limit, Policy, Subject, Unit
from tests.unit.admission.gate_model import policy_json
from tests.unit.admission.sqlite_sql import SqliteSql

HOME, REGIONS = "", ("weur", "enam")
CAP, DAY_CAP, MOST, WINDOW_MS, DAY_MS = 600, 500, 8, LEAST_WINDOW_MS, 86_400_000
BEGIN = 1_800_000_000_000
ORG, TIGHT = Subject("org", "o"), Subject("org", "o", "limited")
RULES = Policy(
    "UTC",
    (
        Limit("requests", TIGHT, Unit.REQUESTS, MOST, WINDOW_MS, None),
        Limit("places", Subject("model", "exact"), Unit.CONCURRENT, 2, 0, None),
    ),
    (
        Budget("total", ORG, "total", CAP, hard=True),
        Budget("day", Subject("key", EACH), "day", DAY_CAP, hard=True),
        Budget("soft", ORG, "month", 10, hard=False),
    ),
)


@dataclass
class Call:
    """A call that was let in: where, when, and what it is taken to cost."""

    id: str
    gate: str
    at: int
    bound: int
    ask: Ask
    deadline: int
    places: list[tuple[str, str, int]]
    cost: int | None = None
    given_up: int | None = None


class Histories(RuleBasedStateMachine):
    """A home, two regions, and the messages between them."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.names = BEGIN, 0
        self.skew = dict.fromkeys((HOME, *REGIONS), 0)
        self.disks = {name: SqliteSql() for name in (HOME, *REGIONS)}
        self.cap, self.most_cap, self.leased = CAP, CAP, True
        self.gates: dict[str, Gate] = {HOME: HomeGate(self.disks[HOME], most=1)}
        self.gates |= {name: RegionalGate(self.disks[name], most=1) for name in REGIONS}
        self.calls: list[Call] = []
        self.asked: list[tuple[str, str, int, int]] = []  # region, message, edition, when by the region's clock
        self.answered: list[tuple[str, str, int]] = []  # region, answer, when it was asked
        self.waiting: dict[str, tuple[int, int]] = {}  # regions that may know an old policy: edition, and until when
        self._set_rules()

    def clock(self, name: str) -> int:
        return self.now + self.skew[name]

    @property
    def home(self) -> HomeGate:
        gate = self.gates[HOME]
        assert isinstance(gate, HomeGate)
        return gate

    def region(self, name: str) -> RegionalGate:
        gate = self.gates[name]
        assert isinstance(gate, RegionalGate)
        return gate

    def _set_rules(self) -> None:
        total, *others = RULES.budgets
        policy = policy_json(replace(RULES, budgets=(replace(total, most=self.cap), *others)))
        policy["admission"] = "leased" if self.leased else "exact"
        home = self.home
        home.rules(json.dumps(policy), self.clock(HOME))
        self._changed()

    def _changed(self) -> None:
        leases = self.home.leases
        until = leases.deciding(self.clock(HOME))
        self.waiting = {region: (leases.edition, moment) for region, moment in until.items()}

    def _open(self, name: str, ask: Ask, bound: int, patience: int) -> bool:
        self.names += 1
        made, gate = f"call-{self.names}", self.gates[name]
        record = {
            "id": made,
            "cause": "lost",
            "cost_nano_usd": bound,
            "estimated": True,
            "input_tokens": 0,
            "output_tokens": 0,
        }
        row = json.dumps([[made, self.clock(name) + patience, record, ask._asdict()]])
        told = gate.handle(self.home.version, row, self.clock(name))
        answers = json.loads(told)[1] if isinstance(told, str) else {}
        if made not in answers or answers[made][0]:
            return False
        if name:
            _, until = self.waiting.get(name, (0, 0))
            region = self.region(name).region
            assert region.edition >= self.home.leases.edition or self.now + self.skew[HOME] < until
        places = gate.places(json.dumps([made]))[made]
        self.calls.append(Call(made, name, self.now, bound, ask, self.clock(name) + patience, places))
        return True

    @rule(
        name=st.sampled_from(REGIONS),
        bound=st.integers(1, 120),
        key=st.sampled_from(["k1", "k2"]),
        model=st.sampled_from(["free", "limited", "limited", "exact"]),
        patience=st.sampled_from([1_000, 90_000]),
        times=st.sampled_from([1, 3, 6]),
        trades=st.booleans(),
    )
    def call(self, name: str, bound: int, key: str, model: str, patience: int, times: int, trades: bool) -> None:
        ask = Ask({"org": "o", "key": key, "model": model}, 1, bound, 0, None, 1, 1, 1, 0, 0)
        for _ in range(times):
            if trades:
                self.trade(name)
            assert not (self._open(name, ask, bound, patience) and model == "exact")
            if model == "exact" or not self.calls or self.calls[-1].id != f"call-{self.names}":
                self._open(HOME, ask, bound, patience)

    @rule(
        steps=st.lists(
            st.tuples(
                st.sampled_from(REGIONS),
                st.sampled_from([1, 10, 60]),
                st.sampled_from(["free", "limited", "limited"]),
                st.sampled_from([0, 0, 0, 500, RATE_LEASE_MS - 1, WINDOW_MS - RATE_LEASE_MS]),
                st.sampled_from(["", "", "trade", "trade", "settle", "twice"]),
            ),
            min_size=5,
            max_size=25,
        )
    )
    def busy(self, steps: list[tuple[str, int, str, int, str]]) -> None:
        """Some calls behind each other: what is leased is used."""
        for name, bound, model, pause, then in steps:
            self.now += pause
            if then:
                self.trade(name, doubled=then == "twice")
            self.call(name, bound, "k1", model, 90_000, 1, trades=False)
            if then == "settle" and self.calls:
                self.settle(0, 5, again=False)

    @precondition(lambda self: self.calls)
    @rule(pick=st.integers(0, 100), part=st.integers(0, 10), again=st.booleans())
    def settle(self, pick: int, part: int, again: bool) -> None:
        call = self.calls[-1 - pick % len(self.calls)]
        if call.cost is None or again:
            self._end(call, part)

    def _end(self, call: Call, part: int) -> None:
        if call.given_up is not None and self.now - call.given_up > REMEMBERED_MS - WINDOW_MS:
            call.cost = call.bound if call.cost is None else call.cost  # it comes too late
            return
        call.cost = call.bound * part // 10 if call.cost is None else call.cost
        record = {
            "id": call.id,
            "cause": "finished",
            "cost_nano_usd": call.cost,
            "estimated": False,
            "input_tokens": 0,
            "output_tokens": 0,
        }
        self.gates[call.gate].handle(0, json.dumps([[call.id, None, record]]), self.clock(call.gate))

    @rule(name=st.sampled_from([HOME, *REGIONS]))
    def alarm(self, name: str) -> None:
        self.gates[name].expire(self.clock(name))
        for call in self.calls:
            if call.gate == name and call.cost is None and call.given_up is None and call.deadline <= self.clock(name):
                call.given_up = self.now

    @rule(name=st.sampled_from(REGIONS), back=st.sampled_from(["", "", "total", "all"]))
    def ask(self, name: str, back: str) -> None:
        gate = self.region(name)
        places = Everything() if back == "all" else [("total", "o")] if back else ()
        self.asked.append((name, gate.message(self.clock(name), places), gate.region.edition, self.clock(name)))

    @precondition(lambda self: self.asked)
    @rule(pick=st.integers(0, 20), again=st.booleans(), lost=st.booleans())
    def reach_home(self, pick: int, again: bool, lost: bool) -> None:
        place = pick % len(self.asked)
        name, message, edition, sent = self.asked[place] if again else self.asked.pop(place)
        answer = self.home.exchange(name, message, edition, self.clock(HOME))
        if not lost:
            self.answered.append((name, answer, sent))

    @precondition(lambda self: self.answered)
    @rule(pick=st.integers(0, 20), again=st.booleans())
    def reach_region(self, pick: int, again: bool) -> None:
        place = pick % len(self.answered)
        name, answer, sent = self.answered[place] if again else self.answered.pop(place)
        self.region(name).hear(answer, sent, self.clock(name))

    @rule(name=st.sampled_from(REGIONS), back=st.booleans(), doubled=st.booleans())
    def trade(self, name: str, back: bool = False, doubled: bool = False) -> None:
        """An exchange that goes well, as most do, though its messages may come again."""
        gate, sent = self.region(name), self.clock(name)
        message, edition = gate.message(sent, Everything() if back else ()), gate.region.edition
        gate.hear(self.home.exchange(name, message, edition, self.clock(HOME)), sent, sent)
        if doubled:
            answer = self.home.exchange(name, message, edition, self.clock(HOME))
            gate.hear(answer, sent, sent)
            self.asked.append((name, message, edition, sent))
            self.answered.append((name, answer, sent))

    @precondition(lambda self: self.waiting)
    @rule(pick=st.integers(0, 1))
    def recall(self, pick: int) -> None:
        name = list(self.waiting)[pick % len(self.waiting)]
        self.region(name).region.recall(self.waiting[name][0])
        del self.waiting[name]

    @rule(name=st.sampled_from([HOME, *REGIONS]), skew=st.integers(-10_000, 10_000), most=st.sampled_from([1, 9_999]))
    def crash(self, name: str, skew: int, most: int = 1) -> None:
        """What is on disk stays; what was asked and not answered is gone, and the clock is another machine's."""
        if name:
            self.gates[name] = RegionalGate(self.disks[name], most=most)
            self.skew[name] = skew
            self.asked = [one for one in self.asked if one[0] != name]
            self.answered = [one for one in self.answered if one[0] != name]
        else:
            self.gates[HOME] = HomeGate(self.disks[HOME], most=most)

    @rule(
        pause=st.sampled_from(
            [1, 200, 1_000, POLICY_LEASE_MS, RATE_LEASE_MS - 1, RATE_LEASE_MS, WINDOW_MS - RATE_LEASE_MS, DAY_MS]
        )
    )
    def wait(self, pause: int) -> None:
        self.now += pause

    @precondition(lambda self: not self.waiting)
    @rule(cap=st.sampled_from([CAP // 2, CAP, CAP, CAP * 2]), leased=st.sampled_from([True, True, False]))
    def change(self, cap: int, leased: bool) -> None:
        self.cap, self.leased = cap, leased
        self.most_cap = max(self.most_cap, cap)
        self._set_rules()

    @precondition(lambda self: not self.waiting)
    @rule()
    def revoke(self) -> None:
        self.home.bump()
        self._changed()

    @invariant()
    def no_cap_is_passed(self) -> None:
        self.waiting = {name: one for name, one in self.waiting.items() if self.clock(HOME) < one[1]}
        taken: Counter[tuple[str, str, int]] = Counter()
        for call in self.calls:
            for place in call.places:
                taken[place] += call.bound if call.cost is None else call.cost
        for (budget, _, _), amount in taken.items():
            most = {"total": self.most_cap, "day": DAY_CAP}.get(budget, 1 << 50)
            assert amount <= most, taken
        times = [call.at for call in self.calls if call.ask.path["model"] == "limited"]
        assert all(later - sooner >= WINDOW_MS for sooner, later in zip(times, times[MOST:], strict=False)), times

    def teardown(self) -> None:
        """When all is quiet, all is back, and what the home counts is what the calls have cost."""
        for call in self.calls:
            if call.cost is None:
                self._end(call, 5)
        for name in REGIONS:
            for _ in range(3):
                self.trade(name, back=True)
            assert not self.region(name).region.unsettled()
        counter = self.home.counters(self.clock(HOME))["total"]
        assert (counter.used, counter.reserved) == (sum(call.cost or 0 for call in self.calls), 0), self.calls
        assert not self.home.leases.held("total", "o")


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
