"""A collection of an organisation's things: made while there is room, read, changed and deleted at a version.

    TEAM = Collection("team", TEAMS, ("team.created", "team.changed", "team.deleted"), full=…)
    row = await TEAM.create(parts.work(principal.actor), TeamRow(…))

A table says how rows are written and read, a collection which events tell of that and what the caller is told. What a
caller may do, and what a row must be like, is the business of the service that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from lib.audit.differences import differences
from lib.events.event import Detail, Event
from lib.events.work import Work
from lib.kernel.errors import Conflict, HeadgateError, NotFound, PreconditionFailed
from lib.kernel.ids import is_id
from lib.store.database import Database, Statement, UniqueViolation, Value
from lib.store.table import Table
from lib.store.tenant import Org

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Collection(Generic[Row]):
    """`name` is one of them, as people and the log call it. Where `named`, no two have one name, and events tell it.

    `events` tell that one was made, has changed and was deleted. `full` is the error where there are as many as there
    may be. `part_of`: the thing that the events are about in its place, and the column that has its id.
    """

    name: str
    table: Table[Row]
    events: tuple[str, str, str]
    full: Callable[[], HeadgateError]
    named: bool = False
    part_of: tuple[str, str] | None = None

    async def get(self, database: Database, org_id: str, row_id: str, also: str = "", *values: Value) -> Row:
        """Return one, of which the further conditions hold. Raises NotFound, also for another organisation's."""
        row = await self.table.get(database, org_id, row_id, also, *values) if is_id(row_id) else None
        if row is None:
            raise NotFound(f"There is no such {self.name}.")
        return row

    async def create(self, work: Work, row: Row, *first: Statement) -> Row:
        """Make one, after the statements of `first`. Raises `full`, or Conflict for a name that is taken."""
        event, insert = self._event(self.events[0], None, row), self.table.insert(row)
        with self._own_name():
            made = await work.commit(event, *first, insert, if_made=self._found(row))
        if not made:
            raise self.full()
        return row

    async def update(self, work: Work, row: Row, wanted: Row) -> Row:
        """Write what has changed. Raises PreconditionFailed when somebody else was first; Conflict as above."""
        version: int = _of(row).version
        changed = replace(_of(wanted), updated_at=work.now)
        event, write = self._event(self.events[1], row, changed), self.table.update(changed)
        with self._own_name():
            updated = await work.commit(event, write, only_if=self._found(row, version))
        if not updated:
            raise PreconditionFailed()
        written: Row = replace(changed, version=version + 1)
        return written

    async def delete(self, work: Work, row: Row, version: int | None = None) -> bool:
        """Delete one, at `version` only where that is said; tell whether it was there."""
        gone = self.table.delete(_of(row).org_id, _of(row).id, version)
        return await work.commit(self._event(self.events[2], row, None), gone, only_if=self._found(row, version))

    def event(self, name: str, row: Row, details: Mapping[str, Detail]) -> Event:
        """Return an event of one of them."""
        of = _of(row)
        thing, column = self.part_of or (self.name, "id")
        which = {"name": of.name} if self.named else {self.name: of.id} if self.part_of else {}
        return Event(name, Org(of.org_id), f"{thing}:{getattr(of, column)}", {**which, **details})

    def _event(self, name: str, old: Row | None, new: Row | None) -> Event:
        return self.event(name, cast("Row", new or old), differences(old, new))

    def _found(self, row: Row, version: int | None = None) -> Statement:
        return self.table.found(_of(row).org_id, _of(row).id, version)

    @contextmanager
    def _own_name(self) -> Iterator[None]:
        try:
            yield
        except UniqueViolation:
            raise Conflict(f"There is a {self.name} of this name already.", code="name_taken") from None


def _of(row: object) -> Any:
    """Return a row as one whose columns can be named: which ones it has, its table's tests look at."""
    return row
