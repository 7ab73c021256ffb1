"""docs/adding-a-format.md, done on a copy of the source: what it shows is all that a format takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.source_tree import ROOT, SRC

CALLS = r"""
import json
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.world import new_world

PATH, ASK = "/v1/completions", {"model": "sim/chat", "prompt": ["One", "Two"]}
world = new_world()
ORG = {"scope": {"type": "org"}}
for kind, rule in (
    ("budgets", {**ORG, "window": "day", "limit_nano_usd": 10**9, "mode": "hard"}),
    ("limits", {**ORG, "unit": "requests", "limit": 3, "window_seconds": 3600}),
):
    assert world.ask("POST", f"/api/v1/{kind}", rule).status == 201

def event(**fields):
    return b"data: " + json.dumps({"id": "c", "object": "text_completion", **fields}).encode() + b"\n\n"

def choice(text, finish=None):
    return {"index": 0, "text": text, "finish_reason": finish}

def told(answer):
    record, sent = world.gates.settled[-1], json.loads(world.upstream.sent[-1].body)
    used = record.input_tokens, record.output_tokens, record.estimated
    return answer.status, record.endpoint, record.cause, *used, sent

def plays(kind, *pieces):
    world.upstream.script = [FakeAnswer(headers={"content-type": kind}, pieces=list(pieces))]

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
whole = {"object": "text_completion", "choices": [choice("x y", "stop")], "usage": USAGE}
plays("application/json", json.dumps(whole).encode())
answer = world.ask("POST", PATH, {**ASK, "n": 2, "max_tokens": 9})
sent = {"model": "chat", "prompt": ["One", "Two"], "n": 2, "max_tokens": 9}
assert told(answer) == (200, "completions", "finished", 5, 2, False, sent), told(answer)
assert world.upstream.sent[-1].url.endswith("/completions")
assert answer.body == whole, answer.body

EVENTS, DONE = "text/event-stream", b"data: [DONE]\n\n"
parts = [event(choices=[choice("x ")]), event(choices=[choice("y", "stop")])]
asked = {**ASK, "stream": True}
sent = {**asked, "model": "chat", "stream_options": {"include_usage": True}, "max_tokens": 10}
plays(EVENTS, *parts, event(choices=[], usage=USAGE), DONE)
answer = world.ask("POST", PATH, asked)
assert told(answer) == (200, "completions", "finished", 5, 2, False, sent), told(answer)
assert answer.body == b"".join(parts) + DONE, answer.body

plays(EVENTS, event(choices=[choice("x" * 40)]))
answer = world.ask("POST", PATH, asked)
assert told(answer) == (200, "completions", "upstream_broke_off", 2, 10, True, sent), told(answer)
assert b'"error"' in answer.body

answer = world.ask("POST", PATH, ASK)
assert (answer.status, answer.error["code"]) == (429, "requests_limit_reached")
assert len(world.gates.settled) == 3
print("done")
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with all that the page says."""
    root = tmp_path_factory.mktemp("format")
    shutil.copytree(SRC, root / "src")
    page = (ROOT / "docs" / "adding-a-format.md").read_text()
    for path, text in re.findall(r"```python\n# (\S+)\n(.*?)```", page, re.DOTALL):
        file = root / path
        file.parent.mkdir(exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    for path, text in re.findall(r"```diff\n(\S+)\n(.*?)```", page, re.DOTALL):
        file = root / path
        for old, new in re.findall(r"-(.*)\n((?:\+.*\n)+)", text):
            assert file.read_text().count(f"{old}\n") == 1
            file.write_text(file.read_text().replace(f"{old}\n", re.sub(r"(?m)^\+", "", new)))
    return root


def test_the_page_makes_a_format(tree: Path) -> None:
    """It is called whole and streamed, is let in under a budget and refused by a limit, and stands in the ledger."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", CALLS], env=environment, cwd=tree, check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]


def test_what_the_page_shows_passes_the_linter(tree: Path) -> None:
    """A reader copies it."""
    files = [str(path) for path in tree.rglob("*completions.py")]
    assert len(files) == 2
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--config", str(ROOT / "pyproject.toml"), *files]
    done = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True)
    assert done.stdout == ""
