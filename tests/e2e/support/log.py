"""The Worker's log, read from outside."""

from __future__ import annotations

import json
import re

import httpx

from tests.e2e.support.headgate import Json
from tests.e2e.support.poll import until
from tools.stack import Stack


def lines(stack: Stack) -> list[Json]:
    """The Worker's own lines."""
    return [json.loads(line) for line in stack.log_path.read_text().splitlines() if line.startswith("{")]


def lines_of(stack: Stack, request_id: str) -> list[Json]:
    return [line for line in lines(stack) if line.get("request_id") == request_id]


def line_of(stack: Stack, answer: httpx.Response) -> Json:
    """The one line of a request, once it is over."""
    request_id = answer.headers["x-headgate-request-id"]
    [line] = until(lambda: lines_of(stack, request_id) or None, f"the line of request {request_id}")
    return line


def failures(stack: Stack) -> list[str]:
    """What has failed so far, by its name in `lib.failures`. Wrangler decorates warnings: these are no JSON lines."""
    return re.findall(r'"event": "dependency_failed", "failure": "([a-z_]+)"', stack.log_path.read_text())
