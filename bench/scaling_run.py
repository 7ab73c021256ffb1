"""A simulated load on leasing gates: many children, lost and doubled messages, crashes. The invariant at every step."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from bench.scaling_messages import Answer, Ask
from bench.scaling_model import Child, Parent
from bench.scaling_setting import Outcome, Overshoot, Setting


@dataclass
class Simulation:
    """Runs one setting. The order of what happens is drawn from `seed`."""

    setting: Setting
    seed: int
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        s = self.setting
        self.random = Random(self.seed)  # noqa: S311 - a simulation that can be made again
        average = (s.least_bound + s.most_bound) * 3 // 8  # of the costs: from half of the bound to all of it
        self.parent = Parent(cap=s.cap_calls * average, most=s.lease_calls * s.most_bound)
        self.children = [Child(name) for name in range(s.children)]
        self.waiting: list[list[tuple[int, int]]] = [[] for _ in self.children]  # bound, patience
        self.busy = [0] * s.children
        self.paid = 0
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.now = self.number = self.recalled = 0

    def run(self) -> Outcome:
        """Raises Overshoot."""
        for at in range(self.setting.calls):
            self._later(at, self._call)
        for at in range(0, self.setting.calls + 5 * self.setting.idle, self.setting.idle):
            self._later(at, self._tidy)
        while self.events:
            self.now, _, happen = heapq.heappop(self.events)
            happen()
            self._check()
        self.outcome.unspent = self.parent.cap - self.paid
        return self.outcome

    def _check(self) -> None:
        spent_or_held = sum(piece.committed for child in self.children for piece in child.slices.values())
        spent_or_held += sum(
            cut.amount for c in self.children for key, cut in c.ending.items() if (c.name, key) in self.parent.leases
        )
        over = max(self.parent.spent + spent_or_held, self.paid) - self.parent.cap
        self.outcome.overshoot = max(self.outcome.overshoot, over)
        if over > 0 or self.parent.free < 0:
            raise Overshoot(f"seed {self.seed}, step {self.now}: {over} over, {self.parent.free} free")

    def _call(self) -> None:
        index = min(int(self.random.expovariate(4 / self.setting.children)), self.setting.children - 1)
        self.busy[index] = self.now
        self._try(index, self.random.randint(self.setting.least_bound, self.setting.most_bound), 5)
        if self.random.random() < self.setting.crash:
            self._crash(self.children[self.random.randrange(len(self.children))])

    def _try(self, index: int, bound: int, patience: int) -> None:
        child = self.children[index]
        parts = child.reserve(bound)
        if parts is None:
            self.waiting[index].append((bound, patience))
            if child.wish is None:
                self._send(child, child.want(bound))
            return
        self.outcome.admitted += 1
        cost = self.random.randint(bound // 2, bound)
        if self.random.random() < self.setting.crash:  # the isolate is gone: the bound is charged, late
            self._later(self.now + 300, lambda: self._settle(child, parts, bound))
        else:
            self._later(self.now + self.random.randint(5, 60), lambda: self._settle(child, parts, cost))

    def _settle(self, child: Child, parts: tuple[tuple[int, int], ...], cost: int) -> None:
        self.paid += cost
        child.settle(parts, cost)

    def _send(self, child: Child, ask: Ask) -> None:
        for _ in range(1 + (self.random.random() < self.setting.doubled)):
            self.outcome.messages += 1
            if self.random.random() >= self.setting.loss:
                self._later(self.now + self.random.randint(1, 4), lambda: self._arrive(child, ask))
        if ask.lease is not None:
            self._later(self.now + 10, lambda: self._again(child, ask))

    def _arrive(self, child: Child, ask: Ask) -> None:
        known = ask.lease is not None and ask.lease <= self.parent.newest.get(child.name, 0)
        answer = self.parent.hear(ask)
        if ask.lease is not None and not answer.amount and not known:
            self._note_room(ask)
            self._recall()
        self.outcome.messages += 1
        if self.random.random() >= self.setting.loss:
            self._later(self.now + self.random.randint(1, 4), lambda: self._answered(child, answer))

    def _note_room(self, ask: Ask) -> None:
        """Note how much was free, in truth, beyond what the refused call needed; and what was leased and unspent."""
        committed = 0
        for each in self.children:
            committed += sum(piece.committed for piece in each.slices.values())
            committed += sum(cut.amount for key, cut in each.ending.items() if (each.name, key) in self.parent.leases)
        leased = sum(self.parent.leases.values()) - committed
        room = self.parent.cap - self.parent.spent - committed - ask.need
        if room > self.outcome.most_room:
            self.outcome.most_room, self.outcome.most_leased = room, leased

    def _recall(self) -> None:
        if not self.setting.recall or self.now < self.recalled + self.setting.recall:
            return
        self.recalled = self.now
        for name in {name for name, _ in self.parent.leases}:
            child = self.children[name]
            self.outcome.messages += 1
            if self.random.random() >= self.setting.loss:
                self._later(self.now + self.random.randint(1, 4), partial(self._give_back, child))

    def _give_back(self, child: Child) -> None:
        self._send(child, child.give_back())

    def _answered(self, child: Child, answer: Answer) -> None:
        if not child.hear(answer):
            return
        waiting, self.waiting[child.name] = self.waiting[child.name], []
        if not answer.amount and child.unspent:
            self._send(child, child.give_back())  # what is too little here may be enough for another
        least = 0 if answer.amount or not waiting else waiting[0][0]
        for bound, patience in waiting:
            if least and bound >= least:  # one refusal answers all who wait for as much
                self.outcome.refused += 1
                self.outcome.early += self._room() >= bound
            else:
                self._try(child.name, bound, patience)

    def _room(self) -> int:
        """Return what one gate alone would have free now."""
        under_way = sum(piece.reserved for child in self.children for piece in child.slices.values())
        return self.parent.cap - self.paid - under_way

    def _again(self, child: Child, ask: Ask) -> None:
        if child.wish is not ask:
            return
        late = [(bound, patience - 1) for bound, patience in self.waiting[child.name]]
        self.waiting[child.name] = [each for each in late if each[1] > 0]
        self.outcome.unavailable += len(late) - len(self.waiting[child.name])
        self._send(child, ask)

    def _crash(self, child: Child) -> None:
        self.outcome.unavailable += len(self.waiting[child.name])
        self.waiting[child.name] = []
        if child.wish is not None:  # it is durable, so it is asked again after the restart
            self._send(child, child.wish)

    def _tidy(self) -> None:
        for child in self.children:
            idle = self.now - self.busy[child.name] >= self.setting.idle
            if (idle and child.slices) or child.ending:
                self._send(child, child.give_back() if idle else Ask(child.name, tuple(child.ending.values()), None, 0))

    def _later(self, at: int, happen: Callable[[], None]) -> None:
        self.number += 1
        heapq.heappush(self.events, (at, self.number, happen))
