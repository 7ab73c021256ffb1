"""The measurements of the store as Markdown, with how to read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.speed import ONE, Effort, Load
from bench.speed_table import noise_line, share, table
from bench.store import CONSTANT, MANY_READS, ONE_READ, Line

TEXT = """\
## The store

What a request costs that asks the store: the same Headgate on D1 and on PostgreSQL through Hyperdrive's binding, each
on a bare `workerd` of its own, in turns. **constant** is `GET /livez`, which asks the store nothing. The others go
through the same pipeline to a route that only the benchmark has (`bench/store_entry.py`): it reads one organisation by
its key, once, or {many} times one after another. It needs no API key, since looking for that would be a read more.

- **D1** is workerd's own D1 client in front of `bench/d1.js`, which runs the SQL on the SQLite of a Durable Object in
  the same process. The processor time of workerd has SQLite's in it.
- **PostgreSQL** is a real server on this machine, with SCRAM passwords and row level security. Each request opens its
  own connection, logs in, and closes it behind its answer: at one connection the next request has begun by then. An
  isolate derives the key of its password once, which is the slow part of SCRAM: it is over before the first round.

So the network is in neither: to a real D1 and to a real Hyperdrive there is a way to go with each read, and to
Hyperdrive a few times more for the login. Hyperdrive does the server's part of that login close to the Worker, and
keeps a pool of connections to the server. Here the binding is a plain socket to the server, which starts a process for
each connection.

{rounds} rounds of {seconds} s a line. Times are milliseconds, to the last byte. `added` is compared with the constant
answer on the same workerd; `CPU` is workerd's processor time for one request, `server CPU` PostgreSQL's own.
{noise}

{lines}

What a request pays once and what it pays for each read, at one connection: a read is a ninth of what {many} take longer
than one; the rest of what one read adds is paid once. For PostgreSQL that is to connect, to log in, and that the
server's new process sees the table for the first time.

{parts}
"""
_NAMES = {CONSTANT: "constant", ONE_READ: "**one read**", MANY_READS: f"{MANY_READS} reads"}
_COLUMNS = (
    *("load", "store", "request", "req/s", "÷ constant", "p50", "p99"),
    *("added p50", "CPU", "added CPU", "server CPU"),
)
_TEXT_COLUMNS = 3


def store_section(lines: Sequence[Line], effort: Effort) -> str:
    """Return the section of the page."""
    return TEXT.format(
        many=MANY_READS,
        rounds=effort.rounds,
        seconds=f"{effort.milliseconds / 1000:g}",
        noise=noise_line([line.noise for line in lines]),
        lines=_lines_table(lines),
        parts=_parts_table(lines),
    )


def _lines_table(lines: Sequence[Line]) -> str:
    return table(_COLUMNS, [_row(line, _find(lines, line.load, line.store, CONSTANT)) for line in lines], _TEXT_COLUMNS)


def _row(line: Line, constant: Line) -> list[str]:
    result, base = line.result, constant.result
    compared = line is not constant
    return [
        line.load.name,
        line.store,
        _NAMES[line.reads],
        f"{result.rate:,.0f}",
        share(result.rate / base.rate) if compared else "",
        f"{result.total.p50:.2f}",
        f"{result.total.p99:.2f}",
        f"{result.total.p50 - base.total.p50:.2f}" if compared else "",
        f"{result.cpu_ms:.2f}",
        f"{result.cpu_ms - base.cpu_ms:.2f}" if compared else "",
        f"{line.server_cpu_ms:.2f}" if compared and line.server_cpu_ms is not None else "",
    ]


def _parts_table(lines: Sequence[Line]) -> str:
    rows = []
    for store in dict.fromkeys(line.store for line in lines):
        asked = {line.reads: line for line in lines if line.load == ONE and line.store == store}
        once, each = _parts(asked, lambda line: line.result.total.p50)
        once_cpu, each_cpu = _parts(asked, lambda line: line.result.cpu_ms)
        rows.append([store, f"{once:.2f}", f"{each:.2f}", f"{once_cpu:.2f}", f"{each_cpu:.2f}"])
    return table(("store", "once a request", "each read", "CPU once a request", "CPU of each read"), rows)


def _parts(asked: dict[int, Line], figure: Callable[[Line], float]) -> tuple[float, float]:
    """Return what is paid once, and what is paid for each read."""
    constant, one, many = (figure(asked[reads]) for reads in (CONSTANT, ONE_READ, MANY_READS))
    each = (many - one) / (MANY_READS - ONE_READ)
    return one - constant - each, each


def _find(lines: Sequence[Line], load: Load, store: str, reads: int) -> Line:
    return next(line for line in lines if (line.load, line.store, line.reads) == (load, store, reads))
