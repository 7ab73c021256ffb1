"""The Worker's log, read from outside.

A line comes when what it tells of is over: after the answer, and after the store has what was written. So whoever looks
for one waits (`told`), and whoever says that something is not there first waits for the line of its request (`after`).
"""

from __future__ import annotations

import json
import re

import httpx

from tests.e2e.support.headgate import Json
from tests.e2e.support.poll import until
from tools.stack import Stack


def text(stack: Stack) -> str:
    """All whole lines so far."""
    return stack.log_path.read_text().rpartition("\n")[0]


def told(stack: Stack, words: str) -> str:
    """Wait until a line has `words`; return the log."""
    return until(lambda: log if words in (log := text(stack)) else None, f"the log says: {words}")


def after(stack: Stack, *answers: httpx.Response) -> str:
    """The log, once the requests that were answered are over."""
    for answer in answers:
        line_of(stack, answer)
    return text(stack)


def lines(stack: Stack) -> list[Json]:
    """The Worker's own lines."""
    return [json.loads(line) for line in text(stack).splitlines() if line.startswith("{")]


def lines_of(stack: Stack, request_id: str) -> list[Json]:
    return [line for line in lines(stack) if line.get("request_id") == request_id]


def line_of(stack: Stack, answer: httpx.Response) -> Json:
    """The one line of a request, once it is over."""
    request_id = answer.headers["x-headgate-request-id"]
    [line] = until(lambda: lines_of(stack, request_id) or None, f"the line of request {request_id}")
    return line


def failures(stack: Stack) -> list[str]:
    """What has failed so far, by its name in `lib.kernel.failures`. Wrangler decorates warnings: they are no JSON."""
    return re.findall(r'"event":"dependency_failed","failure":"([a-z_]+)"', text(stack))
