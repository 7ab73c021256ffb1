"""What happens when something that we need fails: one entry for each, named beside the call that may fail.

`note` counts it and writes one line, `dependency_failed`. The table in docs/architecture.md is checked against this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, StrEnum

MOST_REASON = 300  # characters


class Mode(StrEnum):
    """What a failure does to the request that meets it."""

    OPEN = "open"  # it goes on without what failed
    CLOSED = "closed"  # it, or what it asks for, is refused
    STALE = "stale"  # it goes on with what was known before


class Failure(Enum):
    """A dependency, what its failure does, what happens then, and why that is right."""

    def __init__(self, dependency: str, mode: Mode, happens: str, why: str, alert: str = "") -> None:
        self.alert = alert  # whom to wake, where it does not mend itself
        self.dependency = dependency
        self.mode = mode
        self.happens = happens
        self.why = why

    GATE_UNREACHABLE = (
        "gate", Mode.CLOSED, "503 `gate_unavailable` with `Retry-After`", "what can't be recorded must not be spent",
    )  # fmt: skip
    JURISDICTION_CHANGED = (
        "gate", Mode.CLOSED, "503 `jurisdiction_changed`; without a JURISDICTION only `/readyz` says so",
        "the objects in another jurisdiction are empty: caps would be passed",
        "operator",
    )  # fmt: skip
    SETTLEMENT_UNDELIVERED = (
        "gate", Mode.CLOSED, "it waits for the next call; else the gate charges the bound at the deadline",
        "what a lost settlement hides is never free",
    )  # fmt: skip
    STORE_AWAY = (
        "store", Mode.CLOSED, "503 with `Retry-After` to an unknown caller, and to whoever manages",
        "who can't be looked up is not let in",
    )  # fmt: skip
    STORE_SCOPE = (
        "store", Mode.CLOSED, "`GET /readyz` is 503, and says `misconfigured`",
        "a store that does not show each scope its own rows and no others can't be relied on",
        "operator",
    )  # fmt: skip
    STORE_LEDGER = (
        "store", Mode.STALE, "calls of known accounts go on; their records wait in the gate, which tries again",
        "the gate has all that it needs, and loses nothing",
    )  # fmt: skip
    STORE_FILLING = (
        "store", Mode.OPEN, "nothing yet: D1 holds 7 GB of the 10 that it takes, and then refuses every write",
        "who is warned in time can keep records for fewer days, or move to PostgreSQL",
        "operator",
    )  # fmt: skip
    REFUSAL_UNNOTED = (
        "store", Mode.OPEN, "a refused change stays refused (403), and is only in the request log",
        "the refusal is given before it is noted",
    )  # fmt: skip
    EVENTS_UNLINKED = (
        "store", Mode.STALE, "the audit log shows the event with the link that it will have; the next hour writes it",
        "the event is written and sealed with its change; only its place waits",
    )  # fmt: skip
    QUEUE_AWAY = (
        "queue", Mode.OPEN, "the gate writes its records to the store itself", "the queue only saves statements",
    )  # fmt: skip
    ARCHIVE_AWAY = (
        "R2", Mode.STALE, "no usage record is deleted, the next run tries again; who reads old ones there gets 503",
        "what is not in the archive must stay in the store",
    )  # fmt: skip
    KV_READ = (
        "KV", Mode.OPEN, "after 250 ms, or at once when it fails, the store is asked", "KV only saves a read",
    )  # fmt: skip
    KV_STALE = (
        "KV", Mode.STALE, "the gate refuses the old version in the same call; the store is asked, and KV told",
        "every use of an account is confirmed by its gate",
    )  # fmt: skip
    KV_WRITE = (
        "KV", Mode.OPEN, "nothing; the next isolate reads the store", "KV only saves a read",
    )  # fmt: skip
    PROVIDER_REFUSED_KEY = (
        "provider", Mode.CLOSED, "502 `provider_refused_key`, which no SDK tries again",
        "this deployment's key is wrong or may not do this: its operator can mend that, and its callers can't",
        "operator",
    )  # fmt: skip
    PROVIDER_MISCONFIGURED = (
        "provider", Mode.CLOSED, "404 `model_not_found` for its models; the other providers go on",
        "with a key or an address that can't be used each of its calls would fail, and nobody else's",
        "operator",
    )  # fmt: skip
    PROVIDER_OUT_OF_CREDIT = (
        "provider", Mode.CLOSED, "502 `provider_out_of_credit`, which no SDK tries again",
        "a 402 would say that a budget here is spent; its operator can pay, and its callers can't",
        "operator",
    )  # fmt: skip
    MODEL_LIST_AWAY = (
        "provider", Mode.STALE, "`GET /v1/models` shows the last list, or the organisation's names; again in 30 s",
        "a list only helps people: each name is judged when it is called",
    )  # fmt: skip
    MAIL_UNSENT = (
        "mail", Mode.CLOSED, "after two more attempts the log tells it; who waits for the mail asks again",
        "the answer has begun: it must not tell who has an account",
    )  # fmt: skip
    GUARD_UNREACHABLE = (
        "guard", Mode.CLOSED, "503 `guard_unavailable` with `Retry-After` to who signs in or resets; sessions go on",
        "without a count a password could be guessed as fast as one can ask",
    )  # fmt: skip
    CLOCK_SET_BACK = (
        "clock", Mode.STALE, "the gate's time stands still until the clock has caught up",
        "a window that is over must not open twice",
    )  # fmt: skip
    CLOCK_AHEAD = (
        "clock", Mode.CLOSED, "calls under way are given up early, at their bounds; a settlement corrects them",
        "a deadline can't be told from a jump, and a bound is never too little",
    )  # fmt: skip


_counts: dict[str, int] = {}
_sinks: list[Callable[..., None]] = []


def report_to(sink: Callable[..., None]) -> None:
    """Have each failure written by `sink`, which takes an event's name and its facts."""
    _sinks[:] = [sink]


def note(failure: Failure, reason: str) -> None:
    """Count a failure of this isolate, and write a line. `reason` is for operators; it never holds a secret."""
    name = failure.name.lower()
    _counts[name] = _counts.get(name, 0) + 1
    for sink in _sinks:
        sink(
            "dependency_failed",
            failure=name,
            dependency=failure.dependency,
            mode=failure.mode.value,
            reason=reason[:MOST_REASON],
            **({"alert": failure.alert} if failure.alert else {}),
        )


def counts() -> Mapping[str, int]:
    """Return how often each failure was met since this isolate began; those that never were are left out."""
    return dict(_counts)
