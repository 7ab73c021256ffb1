"""Files of `NAME=value` lines: variables and secrets for a local run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tools.project import ToolError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUOTES = "'`\""
QUOTED = re.compile(r"(?P<quote>['`\"])(?P<value>.*?)(?P=quote)\s*(#.*)?")
COMMENT = re.compile(r"(^|\s+)#.*")  # behind a value only where a blank is before it: a password may hold a #


def parse_env(text: str, source: str) -> dict[str, str]:
    """Read `NAME=value` lines; blank lines, a leading `export`, quotes around a value and `# comments` are
    allowed, also behind a value.

    Raises ToolError naming the line's number and never its text, which may hold a secret.
    """
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not NAME.fullmatch(name):
            raise ToolError(f"{source}, line {number}: expected NAME=value")
        if value[:1] in QUOTES and value[:1]:
            quoted = QUOTED.fullmatch(value)
            if quoted is None:
                raise ToolError(f"{source}, line {number}: the quote is not closed, or something stands behind it")
            value = quoted["value"]
        else:
            value = COMMENT.sub("", value)
        values[name] = value
    return values


def read_env_file(path: Path) -> dict[str, str]:
    """Raises ToolError when the file cannot be read or understood."""
    try:
        return parse_env(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"ENV_FILE {path} cannot be read: {error}") from error


def render_env(values: Mapping[str, str]) -> str:
    """The text of a file that wrangler reads back as `values`: it expands $NAME, so dollars are escaped."""
    lines = []
    for name, value in values.items():
        # Single quotes and backticks are taken as they are; between double quotes a backslash would mean something.
        fitting = [mark for mark in QUOTES if mark not in value and not (mark == '"' and "\\" in value)]
        if not fitting or "\n" in value:
            raise ToolError(f"{name}: the value has line breaks or too many kinds of quotes for an env file")
        quote = fitting[0]
        lines.append(f"{name}={quote}{value.replace('$', chr(92) + '$')}{quote}\n")
    return "".join(lines)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
