from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tools.env_file import parse_env, read_env_file, render_env, write_private
from tools.project import ToolError


def test_the_usual_forms_are_read() -> None:
    text = "# a comment\n\nA=1\nexport B = two words \nC='it=is # here'\nD=\"x\"\nE=\n"

    assert parse_env(text, "x") == {"A": "1", "B": "two words", "C": "it=is # here", "D": "x", "E": ""}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=sk-1 # the key", "sk-1"),
        ("A=sk-1\t# the key", "sk-1"),
        ("A=two words  #", "two words"),
        ("A=p#ss#", "p#ss#"),
        ("A=https://x.example/#part", "https://x.example/#part"),
        ("A=# nothing yet", ""),
        ("A= # nothing yet", ""),
        ("A='it # is' # the key", "it # is"),
        ('A="x"# the key', "x"),
        ("A='' # 'none'", ""),
    ],
)
def test_a_comment_behind_a_value_is_none_of_it(line: str, value: str) -> None:
    """As dotenv and wrangler read it: a # begins a comment where a blank is before it, or a closed quote."""
    assert parse_env(line, "x") == {"A": value}


@pytest.mark.parametrize("line", ["no equals sign", "1A=x", "A-B=x", "=x", "A='open", "A='", "A='a' b"])
def test_a_malformed_line_is_named_by_number_and_never_shown(line: str) -> None:
    with pytest.raises(ToolError, match=r"x\.env, line 2") as caught:
        parse_env(f"A=1\n{line}\n", "x.env")

    assert "open" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"ENV_FILE .*absent\.env cannot be read"):
        read_env_file(tmp_path / "absent.env")


def test_values_are_quoted_and_dollars_escaped_since_wrangler_expands_them() -> None:
    assert render_env({"A": "x", "B": "it's $HOME", "C": "'`"}) == "A='x'\nB=`it's \\$HOME`\nC=\"'`\"\n"


@pytest.mark.parametrize("value", ["two\nlines", "'\"`", "'`\\n"])
def test_what_no_file_can_say_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(ToolError, match="KEY: the value has") as caught:
        render_env({"KEY": value})

    assert value not in str(caught.value)


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secrets.env"

    write_private(path, "one")
    write_private(path, "two")

    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secrets.env"]
