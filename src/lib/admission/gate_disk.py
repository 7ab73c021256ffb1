"""What a gate reads of its tables and writes there, beside calls and their records: rules, and what they have counted.

Nothing here reads all that is counted: places are looked up by their key, subjects come page by page, and what is over
is looked for in portions, by as many rows as were written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from lib.admission import gate_sql
from lib.admission.budget import BudgetCounter
from lib.admission.decision import Reservation
from lib.admission.gate_sql import Sql, pieces, write
from lib.admission.rate import Before
from lib.admission.rules import NO_RULES, Policy, parse_policy
from lib.admission.shelf import Place, Shelf

# The begin of a window; subject, spent and reserved of each; whether some windows begin later; whether there are more.
Page = tuple[int, list[tuple[str, int, int]], bool, bool]

PAGE_SLOTS = 2_000  # that are read for one page of subjects
SWEEP_LEAST, SWEEP_MOST = 100, 1_000  # slots that an alarm looks at, to find those that are over
SWEEP_EACH = 2  # of them for each that was written: so what is over is found faster than it comes
# What SQLite holds as a whole number, and more than anybody spends.
MOST_KEPT = 2**62


class Disk:
    """The tables of `gate_sql.py`."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._unswept = SWEEP_LEAST

    # The rules

    def policy_text(self) -> str:
        [[text]] = self._sql.run("SELECT coalesce(max(text), ?) FROM policy", NO_RULES)
        return str(text)

    def policy(self) -> Policy:
        return parse_policy(self.policy_text())

    def keep_policy(self, text: str, before: Mapping[str, Before]) -> None:
        self._sql.run("INSERT OR REPLACE INTO policy VALUES (1, ?)", text)
        noted = {rule: [was.until, was.changed] for rule, was in before.items()}
        self._sql.run("INSERT OR REPLACE INTO about VALUES ('before', ?)", json.dumps(noted))

    def event(self) -> int | None:
        """Return the number of the last event of the audit log that is known here; None where none is."""
        return next((int(seq) for [seq] in self._sql.run("SELECT value FROM about WHERE name = 'event'")), None)

    def keep_event(self, seq: int) -> None:
        self._sql.run("INSERT OR REPLACE INTO about VALUES ('event', ?)", str(seq))

    def before(self) -> dict[str, Before]:
        [[text]] = self._sql.run("SELECT coalesce(max(value), '{}') FROM about WHERE name = 'before'")
        return {rule: Before(*was) for rule, was in json.loads(text).items()}

    def forget_rules(self, rules: Sequence[str]) -> None:
        """Have these begin anew, should they have been here before. Hardly ever is there anything of them."""
        write(self._sql, gate_sql.FORGET_RULE, rules)

    # What is counted

    def held(self) -> dict[str, Reservation]:
        """Return the calls that are under way."""
        return {name: Reservation.from_json(text) for name, text in self._sql.run(gate_sql.READ_HELD)}

    def load(self, places: Sequence[Place]) -> dict[Place, dict[int, int]]:
        """Return what is kept of these: their slots."""
        found: dict[Place, dict[int, int]] = {}
        for piece in pieces(places):
            for rule, subject, slot, amount in self._sql.run(gate_sql.READ_COUNTS, piece):
                found.setdefault((rule, subject), {})[int(slot)] = int(amount)
        return found

    def keep_counts(self, changes: Sequence[tuple[str, str, int, int]]) -> None:
        """Write slots with what is in them now."""
        write(self._sql, gate_sql.DROP_COUNTS, [place for *place, amount in changes if not amount])
        write(
            self._sql, gate_sql.KEEP_COUNTS, [(*place, min(amount, MOST_KEPT)) for *place, amount in changes if amount]
        )
        self._unswept += SWEEP_EACH * len(changes)

    def subjects(self, rule: str, after: str, most: int, others: Iterable[str]) -> tuple[list[str], bool]:
        """Return whom a rule counts, or may, behind a subject, in their order; and whether there are more behind these.

        `others` are those that nothing may be kept of.
        """
        rows = self._sql.run(gate_sql.SLOTS_OF, rule, after, PAGE_SLOTS)
        kept = list(dict.fromkeys(subject for subject, _ in rows))
        more = len(rows) == PAGE_SLOTS
        if more and len(kept) > 1:
            kept.pop()  # not all of it was read; its turn comes on the next page
        end = kept[-1] if more else None
        found = sorted({*kept, *(who for who in others if end is None or who <= end)})
        return found[:most], more or len(found) > most

    def sweep(self, now: int, shelf: Shelf) -> None:
        """Drop slots that are over, of one portion of all that there are."""
        if self._unswept < SWEEP_LEAST:
            return
        looks, self._unswept = min(self._unswept, SWEEP_MOST), max(0, self._unswept - SWEEP_MOST)
        [[text]] = self._sql.run("SELECT coalesce(max(value), '[\"\",\"\",0]') FROM about WHERE name = 'swept'")
        rows = self._slots(json.loads(text), looks)
        write(self._sql, gate_sql.DROP_COUNTS, shelf.dead(now, rows))
        if rows or text != _BEGIN:
            at = json.dumps(rows[-1][:3]) if len(rows) == looks else _BEGIN
            self._sql.run("INSERT OR REPLACE INTO about VALUES ('swept', ?)", at)

    def _slots(self, after: Sequence[str | int], most: int) -> list[tuple[str, str, int, int]]:
        found = self._sql.run(gate_sql.SLOTS, *after, most)
        return [(rule, subject, int(slot), int(amount)) for rule, subject, slot, amount in found]


_BEGIN = '["","",0]'


def page_of(now: int, shelf: Shelf, rule: str, subjects: Sequence[str], *, more: bool) -> Page:
    """Return what a budget has counted for these."""
    found = shelf.look(rule, subjects)
    counting = [one for one in found.values() if one.used(now) or one.reserved(now)]
    begins = {one.window(now) for one in counting or [BudgetCounter(shelf.budgets[rule], shelf.policy.time_zone, {})]}
    return min(begins), [(who, one.used(now), one.reserved(now)) for who, one in found.items()], len(begins) > 1, more
