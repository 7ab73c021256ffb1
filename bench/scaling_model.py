"""Gates that lease slices of a budget from the gate above them: the protocol of docs/scaling.md. Pure.

What a `Parent` or a `Child` keeps is durable before a message leaves it, as a Durable Object's output gate sees to. So
a crash loses messages and the calls under way, never what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.scaling_messages import Answer, Ask, Cut


@dataclass(slots=True)
class Slice:
    """What a child may spend under one lease. `committed` is spent and reserved."""

    amount: int
    spent: int = 0
    reserved: int = 0

    @property
    def committed(self) -> int:
        return self.spent + self.reserved


@dataclass(slots=True)
class Parent:
    """The gate that owns the budget. Invariant: `spent` and all leases together are never above `cap`.

    A lease is `most` at most, and a `share`-th of what is free at most, divided by the children that hold one.
    """

    cap: int
    most: int
    share: int = 2
    spent: int = 0
    leases: dict[tuple[int, int], int] = field(default_factory=dict)
    newest: dict[int, int] = field(default_factory=dict)  # of each child: an older lease that is not there is over

    @property
    def free(self) -> int:
        return self.cap - self.spent - sum(self.leases.values())

    def hear(self, ask: Ask) -> Answer:
        """Take the cuts, then grant. The same message again changes nothing and gets the same answer."""
        for cut in ask.cuts:
            self._cut((ask.child, cut.lease), cut)
        if ask.lease is None:
            return Answer(ask.cuts, None, 0)
        place = (ask.child, ask.lease)
        if ask.lease > self.newest.get(ask.child, 0):
            self.newest[ask.child] = ask.lease
            if self.free >= ask.need:
                holders = len({child for child, _ in self.leases} | {ask.child})
                self.leases[place] = max(ask.need, min(self.most, self.free // (self.share * holders)))
        return Answer(ask.cuts, ask.lease, self.leases.get(place, 0))

    def _cut(self, place: tuple[int, int], cut: Cut) -> None:
        if place not in self.leases:
            return  # over already
        self.leases[place] = min(self.leases[place], cut.amount)
        if cut.final:
            self.spent += self.leases.pop(place)


@dataclass(slots=True)
class Child:
    """A gate that spends within its leases only. It has one wish at a time, and repeats it until it is answered."""

    name: int
    slices: dict[int, Slice] = field(default_factory=dict)
    ending: dict[int, Cut] = field(default_factory=dict)  # final, and not heard yet
    newest: int = 0
    wish: Ask | None = None

    def reserve(self, bound: int) -> tuple[tuple[int, int], ...] | None:
        """Set a call's bound aside, over as many slices as it takes; None where all do not cover it."""
        if self.unspent < bound:
            return None
        parts = []
        for lease, piece in sorted(self.slices.items()):
            part = min(bound, piece.amount - piece.committed)
            if part:
                piece.reserved += part
                bound -= part
                parts.append((lease, part))
        return tuple(parts)

    def settle(self, parts: tuple[tuple[int, int], ...], cost: int) -> None:
        """Replace what was set aside by what it cost, which is not more."""
        for lease, part in parts:
            piece = self.slices[lease]
            piece.reserved -= part
            piece.spent += min(cost, part)
            cost -= min(cost, part)

    @property
    def unspent(self) -> int:
        return sum(piece.amount - piece.committed for piece in self.slices.values())

    def want(self, bound: int) -> Ask:
        """Return the wish to send, or the one that is not answered yet."""
        if self.wish is None:
            self.newest += 1
            self.wish = Ask(self.name, self._cuts(), self.newest, bound - self.unspent)
        return self.wish

    def give_back(self) -> Ask:
        """End the leases under which nothing is under way, and cut the others to what is."""
        for lease, piece in list(self.slices.items()):
            piece.amount = piece.committed
            if not piece.reserved:
                self.ending[lease] = Cut(lease, piece.spent, final=True)
                del self.slices[lease]
        cuts = tuple(Cut(lease, piece.amount, final=False) for lease, piece in self.slices.items())
        return Ask(self.name, cuts + tuple(self.ending.values()), None, 0)

    def hear(self, answer: Answer) -> bool:
        """Take the answer; tell whether it is the one to the wish."""
        for cut in answer.heard:
            self.ending.pop(cut.lease, None)
        if self.wish is None or answer.lease != self.wish.lease:
            return False
        self.wish = None
        if answer.amount:
            self.slices[self.newest] = Slice(answer.amount)
        return True

    def _cuts(self) -> tuple[Cut, ...]:
        for lease, piece in list(self.slices.items()):
            if piece.committed == piece.amount and not piece.reserved:  # used up
                self.ending[lease] = Cut(lease, piece.spent, final=True)
                del self.slices[lease]
        return tuple(self.ending.values())
