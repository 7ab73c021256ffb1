"""What an isolate and a gate say to each other: what each part is called, and how it is written. Nobody else writes it.

Both sides use this, and the tests' gates too. Parts stand in their order, in JSON arrays: a name would be read and
written again by every call. While a deployment goes out, isolates and gates of two releases talk to each other, and a
gate reads what the release before has left in its journal. So what is said may only grow, by parts behind the others:

- whoever reads passes over parts that it does not know, and takes the default of one that is not there;
- whoever changes what is written raises `VERSION`, and records the messages anew beside those of the version before
  (`tests/unit/admission/wire_*.json`), which are to be read until nothing of their release runs any more.

What can't be said by one more part is another method (`lib.runtime.objects.gate_calls`), which the release before
does not call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json, to_json

from lib.admission.counters import Counted, Counter, Place, Remembered
from lib.admission.decision import Refusal

if TYPE_CHECKING:
    from lib.admission.decision import Ask
    from lib.ledger.usage_record import UsageRecord

VERSION = 1

# In place of the version of the policy by which a call was judged. The callers were read since their requests came, so
# what changes meanwhile may come after them:
IS_NEW = -1
# it is not known, or nothing is to be opened:
NO_VERSION = 0
# In place of the policy's version in an answer: the region can't decide, so the home is to be asked.
ASK_HOME = -2


class Row(NamedTuple):
    """A call to open, or to settle where it has no deadline (milliseconds since 1970).

    `record` has the fields of a usage record; `ask` those of `decision.Ask`, None where the caller knows of no rules.
    """

    id: str
    deadline_ms: int | None
    record: Mapping[str, Any]
    ask: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    """What the rules say of one call to open. `code` is "" for who is let in.

    `standing` is what its caller may know: by unit the tightest limit (how much, how much is left, the window, and when
    all of it is there again, both in milliseconds), and what is left of the tightest hard budget, None without one.
    A limit of requests that refuses tells its place, `[level, who, model or None]`: until `wait_ms` is over it refuses
    every call there. `hoped` is whose counter refuses, where the call could pass if what is under way were settled.
    `about` is what is told of the rule: `decision.Refusal.told`.
    """

    code: str
    rule: str
    wait_ms: int
    granted: int | None  # output tokens for each choice, where the client did not say
    standing: tuple[Mapping[str, Sequence[int]], int | None]
    place: tuple[str, str, str | None] | None = None
    hoped: str | None = None
    about: Sequence[Any] = ()


class BatchAnswer(NamedTuple):
    """What a gate answers to a batch: the policy's version, and the parts of an `Answer` for each row that asks.

    With `leased` the gates of the organisation's regions may decide too: see docs/scaling.md.
    """

    version: int
    answers: Mapping[str, Sequence[Any]] = {}
    leased: bool = False

    def answer(self, call_id: str) -> Answer | None:
        """Return what the rules say of a call; None where no rule was asked."""
        parts = self.answers.get(call_id)
        return None if parts is None else Answer(*parts[:_ANSWER])


class Exchanged(NamedTuple):
    """What a home answers to a region's exchange. `policy` is told where the region knows one of another edition.

    With `lends` it may decide by that for `leases.POLICY_LEASE_MS` from when it asked.
    """

    version: int
    edition: int
    lends: bool
    policy: str | None
    number: int
    answer: str  # see `leases.Leases.hear`


_ROW, _ANSWER, _EXCHANGED = len(Row._fields), len(Answer._fields), len(Exchanged._fields)
_REFUSAL = len(fields(Refusal))


# Method `batch`: opening and settling


def opening(record: UsageRecord, deadline_ms: int, ask: Ask | None) -> str:
    """Return the row of a call that asks to be let in; its record is charged where nobody settles it."""
    asked = "" if ask is None else f",{ask.to_json()}"
    return f'["{record.id}",{deadline_ms},{record.to_json()}{asked}]'


def settlement(record: UsageRecord) -> str:
    """Return the row that settles a call."""
    return f'["{record.id}",null,{record.to_json()}]'


def batch(rows: Iterable[str]) -> str:
    """Return what one call carries."""
    return f"[{','.join(rows)}]"


def rows_of(text: str) -> list[Row]:
    """Read what one call carries."""
    return [Row(*parts[:_ROW]) for parts in from_json(text)]


def granted(output_tokens: int | None, standing: tuple[Mapping[str, Sequence[int]], int | None]) -> Sequence[Any]:
    """Return the parts of an answer that lets in: what only a refusal tells is left out."""
    return "", "", 0, output_tokens, standing


def answered(version: int, answers: Mapping[str, Sequence[Any]]) -> str:
    """Return the answer of a gate with rules; one without answers the version alone."""
    return to_json([version, answers]).decode()


def as_leased(answer: int | str) -> str:
    """Return an answer that says as well that regions may decide."""
    return f"[{answer},{{}},1]" if isinstance(answer, int) else f"{answer[:-1]},1]"


def told_of(answer: int | str) -> BatchAnswer:
    """Read the answer to a batch."""
    if not isinstance(answer, str):
        return BatchAnswer(int(answer))
    version, answers, *leased = from_json(answer)
    return BatchAnswer(version, answers, leased[:1] == [1])


# What is asked by those who manage


def counters_text(counters: Mapping[str, Counter]) -> str:
    return json.dumps({rule: astuple(counter) for rule, counter in counters.items()})


def counters_of(text: str) -> dict[str, Counter]:
    return {rule: Counter(*parts[:3]) for rule, parts in json.loads(text).items()}


def counted_text(now_ms: int, page: object) -> str:
    """Return what `Gate.accounts` has found, and when."""
    return json.dumps([now_ms, page])


def counted_of(text: str) -> Counted | None:
    now_ms, page, *_ = json.loads(text)
    return None if page is None else Counted.of(now_ms, page[:4])


def places_of(text: str) -> dict[str, list[Place]]:
    """Read `{id: [[rule, subject, begin], …]}`."""
    return {name: [Place(*place[:3]) for place in places] for name, places in json.loads(text).items()}


def remembered_of(text: str) -> list[Remembered]:
    """Read `[[id, since_ms, cost, [[rule, subject, begin], …]], …]`."""
    return [Remembered.of(one[:4]) for one in json.loads(text)]


def refusal_text(refusal: Refusal | None) -> str:
    """Return why a call would be refused."""
    return json.dumps(refusal and astuple(refusal))


def refusal_of(text: str) -> Refusal | None:
    parts = json.loads(text)
    return Refusal(*parts[:_REFUSAL]) if parts else None


# Between a home and its regions


def exchanged_text(told: Exchanged) -> str:
    return to_json(told).decode()


def exchanged_of(text: str) -> Exchanged:
    return Exchanged(*from_json(text)[:_EXCHANGED])
