from __future__ import annotations

from tools.update_versions import names, with_versions

TEXT = """\
dependencies = [
  "pydantic==2.0",
  "pydantic-core==1.0", # why
]
[tool.headgate.toolchain]
uv = "0.1" # a comment
node-minimum = "22.0"
"@types/node" = "24.0"
openai = "1.0"
"""


def test_only_versions_change() -> None:
    python = {"pydantic": "2.1", "pydantic-core": "1.1", "uv": "0.2"}
    npm = {"@types/node": "24.1", "openai": "2.0"}

    assert with_versions(TEXT, python, npm) == (
        TEXT.replace('"pydantic==2.0"', '"pydantic==2.1"')
        .replace('"pydantic-core==1.0"', '"pydantic-core==1.1"')
        .replace('"0.1"', '"0.2"')
        .replace('"24.0"', '"24.1"')
        .replace('openai = "1.0"', 'openai = "2.0"')
    )


def test_a_package_of_the_same_name_on_both_registries_keeps_two_versions() -> None:
    text = 'test = ["openai==3.0"]\nopenai = "7.0"\n'

    assert with_versions(text, {"openai": "3.1"}, {"openai": "7.1"}) == 'test = ["openai==3.1"]\nopenai = "7.1"\n'


def test_names_skips_included_groups() -> None:
    assert names([{"include-group": "test"}, "mypy==2.0", "ruff==0.1"]) == ["mypy", "ruff"]
