"""The measurements of identity as Markdown, with how to read them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.identity import FOUR, CallerLine, Identity, Line
from bench.identity_ways import ANONYMOUS, KEY_CACHED, PASSWORD, SIGN_IN_SESSION, SIGN_IN_TOKENS, Way
from bench.speed import ONE, SIXTEEN, Effort, Load
from bench.speed_table import noise_line, share, table
from lib.config import AccountConfig

GOAL_MS = 0.3
TEXT = """\
## Identity

People who sign in, apps that refresh, and what each credential costs a request, on one bare `workerd` with D1, in
turns. Passwords cost the default: Argon2id with {memory} MiB and {passes} passes. Each sign-in is another account's
than the one before, and its password is right: the guard against guessing counts it, and refuses none.

{rounds} rounds of {seconds} s a line. Times are milliseconds, to the last byte; `CPU` is workerd's processor time for
one request, with that of its Durable Objects and its database. {noise}

{lines}

{argon2}

What it costs to know who calls: the same constant answer, through the same pipeline, behind each credential
(`bench/identity_entry.py`; no deploy has it). **Cached** is how the AI API knows a caller: from the isolate's memory.
There its gate confirms that nothing has changed in the call that admits the request, which is counted under Admission;
here one line asks it for that alone. The management API looks into the store each time. What is `added` to the answer
to anybody is compared round by round.

{callers}

{goals}
"""
_COLUMNS = ("load", "request", "req/s", "p50", "p99", "CPU")
_CALLER_COLUMNS = ("load", "who calls", "req/s", "p50", "p99", "added p50", "CPU", "added CPU")


def identity_section(found: Identity, effort: Effort) -> str:
    """Return the section of the page."""
    cost = AccountConfig()
    noise = [line.noise for line in (*found.lines, *(caller.line for caller in found.callers))]
    return TEXT.format(
        memory=cost.password_memory_kib // 1024,
        passes=cost.password_passes,
        rounds=effort.rounds,
        seconds=f"{effort.milliseconds / 1000:g}",
        noise=noise_line(noise),
        lines=table(_COLUMNS, [_row(line) for line in found.lines], 2),
        argon2=_argon2(found),
        callers=table(_CALLER_COLUMNS, [_caller_row(caller) for caller in found.callers], 2),
        goals=_goals(found.callers),
    )


def _row(line: Line) -> list[str]:
    result = line.result
    times = (f"{value:.2f}" for value in (result.total.p50, result.total.p99, result.cpu_ms))
    return [line.load.name, line.way.name, f"{result.rate:,.0f}", *times]


def _caller_row(caller: CallerLine) -> list[str]:
    load, way, rate, p50, p99, cpu = _row(caller.line)
    compared = caller.line.way is not ANONYMOUS
    added = f"{caller.added_ms:.2f}" if compared else ""
    return [load, way, rate, p50, p99, added, cpu, f"{caller.added_cpu_ms:.2f}" if compared else ""]


def _argon2(found: Identity) -> str:
    """How much of a sign-in's processor time is Argon2id: what one password takes, without the answer around it."""

    def cpu_ms(load: Load, way: Way) -> float:
        return next(line.result.cpu_ms for line in found.lines if (line.load, line.way) == (load, way))

    around = _find(found.callers, ONE, ANONYMOUS).line.result.cpu_ms
    rows = []
    for load in (ONE, FOUR):
        hashing = cpu_ms(load, PASSWORD) - around
        for way in (SIGN_IN_TOKENS, SIGN_IN_SESSION):
            whole = cpu_ms(load, way)
            rows.append([load.name, way.name, f"{whole:.1f}", f"{hashing:.1f}", share(hashing / whole)])
    return table(("load", "request", "CPU", "of it Argon2id", "share"), rows, 2)


def _goals(callers: Sequence[CallerLine]) -> str:
    one, many = (_find(callers, load, KEY_CACHED) for load in (ONE, SIXTEEN))
    figures = (
        ("added to the median, at 1 connection", one.added_ms),
        ("added processor time, at 1 connection", one.added_cpu_ms),
        ("added processor time, at 16 connections", many.added_cpu_ms),
    )
    rows = [
        [name, f"{added:.2f} ms", f"≤ {GOAL_MS} ms", "met" if added <= GOAL_MS else "missed"] for name, added in figures
    ]
    return table(("an API key whose principal is cached", "measured", "goal", ""), rows)


def _find(callers: Sequence[CallerLine], load: Load, way: Way) -> CallerLine:
    return next(caller for caller in callers if (caller.line.load, caller.line.way) == (load, way))
